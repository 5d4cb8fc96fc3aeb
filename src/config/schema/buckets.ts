import { connection } from './connection.js';
import { credentials, encryption } from './credentials.js';
import { choice, text } from './kinds.js';
import type { Row } from './row.js';

/** The keys of one bucket: `s3.bucket.<name>.<rest of the key>`. */
export const buckets: readonly Row[] = [
  ...[...connection, ...credentials, ...encryption]
    .filter(({ perBucket }) => perBucket)
    .map((row): Row => ({
      key: row.key.replace('<name>', '<entry>').replace(/^s3\./, 's3.bucket.<name>.'),
      option: row.option.replace('<name>', '<entry>').replace(/^s3\./, 's3.buckets.<name>.'),
      kind: row.kind,
      fallback: `as \`${row.key}\``,
      doc: `The same for one bucket.`,
      where: row.where ?? 'file',
    })),
  {
    key: 's3.bucket.<name>.credentials.provider',
    kind: choice({
      AUTO: 'AUTO',
      ENV_VAR: 'ENV_VAR',
      PROFILE: 'PROFILE',
      ASSUME_ROLE: 'ASSUME_ROLE',
      ANONYMOUS: 'ANONYMOUS',
    }),
    fallback: 'as `aws.credentials.provider`',
    option: 's3.buckets.<name>.credentials',
    doc: 'Where keys for one bucket come from.',
    where: 'file',
  },
  {
    key: 's3.bucket.<name>.credentials.profile',
    kind: text("a profile's name"),
    fallback: '`AWS_PROFILE`, else `default`',
    option: 's3.buckets.<name>.credentials.profile',
    doc: 'Profile of the provider PROFILE.',
    where: 'file',
  },
];
