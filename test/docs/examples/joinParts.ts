import { bounded, bytes, fileSink, fragments, records } from 'millrace';
import { map, tap } from 'rxjs';

/** Joins the objects below one URI in a file below another, in the order of their keys. */
export async function joinParts(from: string, to: string, progress: (line: string) => void): Promise<void> {
  await bounded(
    fragments(from),
    records(
      tap(({ object, offset, total, bytes: piece }) => {
        progress(`${object}: ${Math.floor((100 * (offset + piece.length)) / total)} %`);
      }),
      map(({ bytes: piece }) => piece),
    ),
    fileSink('out', to, { format: bytes() }),
  );
}
