import { bounded, files, fileSink, ndjson, records } from 'millrace';
import { filter } from 'rxjs';

interface Visit {
  readonly id: number;
  readonly kind: string;
}

/** Copies clicks from files of any size. */
export function copyClicks(): Promise<void> {
  return bounded(
    files('memory://web/raw/', { format: ndjson<Visit>() }),
    records(filter(({ kind }) => kind === 'click')),
    fileSink('out', 'memory://web/clicks', { format: ndjson() }),
  );
}
