import { importState, openState } from 'millrace';
import { concat, defer, ignoreElements, last, map, type Observable } from 'rxjs';

export function copyState(job: string, folder: string, savepoint: string): Observable<number> {
  const exported = defer(() => openState(job).export(folder));
  return concat(exported.pipe(ignoreElements()), importState(folder, savepoint)).pipe(
    last(),
    map(({ objects }) => objects.done),
  );
}
