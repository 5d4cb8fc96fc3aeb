/**
 * Plain RxJS from a file of any size to S3, at flat memory and without a job: `node build/examples/bounded.js
 * file:///var/log/visits.ndjson s3://lake/clicks`. A slow sink holds the source back.
 */
import { bounded, files, fileSink, ndjson, records } from 'millrace';
import { filter, map } from 'rxjs';

interface Visit {
  readonly user: string;
  readonly kind: string;
  readonly at: string;
}

const [from = '', to = ''] = process.argv.slice(2);

await bounded(
  files(from, { format: ndjson<Visit>() }),
  records(
    filter(({ kind }) => kind === 'click'),
    map(({ user, at }) => ({ user, day: at.slice(0, 10) })),
  ),
  fileSink('out', to, { format: ndjson() }),
);
