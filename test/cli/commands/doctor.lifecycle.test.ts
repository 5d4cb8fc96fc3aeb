/** What the command shows of lifecycle rules, over HTTP. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeManifest, type Manifest } from '../../../src/checkpoint/index.js';
import { startGateway, type Faults } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { LifecycleRule } from '../../../src/store/services.js';
import { outside, actions, actionsOf, type Asked, type Policy } from '../../store/policies.js';
import { answer, credentials } from '../../store/s3support.js';
import { cli, put, records, type Outcome } from '../support.js';

const week: LifecycleRule = {
  ...{ id: 'leftovers', enabled: true, prefix: '', hasOtherFilter: false, abortIncompleteAfterDays: 7 },
};

/** Of a job with its log in `state/checkpoints/clicks`. */
const manifest: Manifest = {
  ...{ version: 1, jobId: 'abcdefghijkl', job: 'clicks', n: 9, prev: { n: 8, putId: 'b' }, parent: 8 },
  ...{ epoch: 5, putId: 'a', kind: 'checkpoint', checkpoint: 7, at: 0, operators: {} },
  ...{ pending: [], garbage: [], retained: [] },
};

interface Given {
  readonly lake?: readonly LifecycleRule[];
  readonly state?: readonly LifecycleRule[];
  readonly faults?: Faults;
  /** The open files of its sink. */
  readonly open?: Manifest['operators'][string]['open'];
}

const file = { uid: 'u', store: 's3://lake', key: 'clicks/day=1/a.txt', uploadId: 'x', objects: [] };

async function doctor(given: Given, ...argv: string[]): Promise<Outcome> {
  const { lake = [week], state = [week], faults, open = [file] } = given;
  const operators = { out: { kind: 'sink' as const, objects: [], open } };
  const buckets = { lake: createMemoryStore(), state: createMemoryStore() };
  await put(buckets.state, {
    [`checkpoints/clicks/log/${'9'.padStart(20, '0')}`]: encodeManifest({ ...manifest, operators }),
  });
  const { uploadId } = await answer(buckets.lake.createUpload(file.key));
  await answer(buckets.lake.uploadPart(file.key, uploadId, 1, Buffer.from('12345')));
  await using gateway = await startGateway({
    ...{ buckets, credentials, lifecycle: { lake, state } },
    ...(faults === undefined ? {} : { faults }),
  });
  const env = {
    S3_ENDPOINT: gateway.endpoint,
    S3_ACCESS_KEY: credentials.accessKeyId,
    S3_SECRET_KEY: credentials.secretAccessKey,
  };
  return await cli(['doctor', ...argv], { env });
}

const job = ['--job', 's3://state/checkpoints/clicks'];
const lines = ({ out }: Outcome): string[] =>
  out.split('\n').filter((line) => line.includes('  lifecycle  '));

test('rules that suit jobs are not mentioned', async () => {
  const found = await doctor({}, 's3://lake', ...job);
  expect([found.code, lines(found)]).toEqual([0, []]);
});

test('each bucket is compared with what the job keeps there; the exit code is 0', async () => {
  const expiring: LifecycleRule = {
    enabled: true,
    prefix: 'check',
    hasOtherFilter: true,
    expireAfterDays: 30,
  };
  const hasty: LifecycleRule = { ...week, id: 'hasty', prefix: 'clicks/', abortIncompleteAfterDays: 1 };
  const given = { lake: [hasty, { ...expiring, hasOtherFilter: false }], state: [expiring] };
  const found = await doctor(given, 's3://lake', ...job);
  expect([found.code, lines(found)]).toEqual([
    0,
    [
      "warning  lifecycle  The rule 'hasty' aborts unfinished uploads below s3://lake/clicks/day=1/ after 1 day: a job that is down for longer loses the files that it has open there (LostUpload). Set it to 7 days or more, and to more than a job can be down.",
      "warning  lifecycle  The rule for the prefix 'check' deletes objects below s3://state/checkpoints/clicks/ after 30 days: checkpoints need their log, state and journals, however old they are. Exempt checkpoint folders from it. It also selects by tags or size, so this concerns only what matches.",
      'hint     lifecycle  No rule aborts all unfinished uploads below s3://state/checkpoints/clicks/: set AbortIncompleteMultipartUpload to 7 days or more, and to more than a job can be down, or leftovers cost money until they are removed.',
    ],
  ]);
  const shown = await doctor(given, '--json', 's3://lake', ...job);
  expect(records(shown.out).filter(({ type }) => type === 'lifecycle')).toMatchObject([
    { verdict: 'warning', problem: 'aborts-open-files', uris: ['s3://lake/clicks/day=1/'], rule: hasty },
    { verdict: 'warning', problem: 'deletes-checkpoints', rule: expiring },
    { verdict: 'hint', problem: 'no-abort-rule', uris: ['s3://state/checkpoints/clicks/'] },
  ]);
});

test('a rule that moves checkpoints to an archive is a warning', async () => {
  const cold: LifecycleRule = { enabled: true, prefix: '', hasOtherFilter: false, archiveAfterDays: 90 };
  expect(lines(await doctor({ state: [week, cold] }, 's3://lake', ...job))).toEqual([
    "warning  lifecycle  The rule for the prefix '' moves objects below s3://state/checkpoints/clicks/ to an archive after 90 days: a job cannot read them there, so it cannot start. Exempt checkpoint folders from it.",
  ]);
});

test('a sink without open files may write anywhere below the place, in no other bucket', async () => {
  const hasty: LifecycleRule = { ...week, prefix: 'other/', abortIncompleteAfterDays: 1 };
  const rules = { lake: [week, hasty], state: [week, hasty] };
  expect(lines(await doctor(rules, 's3://lake', ...job))).toEqual([]);
  expect(lines(await doctor({ ...rules, open: [] }, 's3://lake', ...job))).toEqual([
    expect.stringContaining('below s3://lake/other/ after 1 day'),
  ]);
});

test('without the right to read rules, the line names it, and the rest is as ever', async () => {
  const faults: Faults = ({ operation }) =>
    operation === 'GetBucketLifecycleConfiguration'
      ? { failure: { kind: 'answer', status: 403, code: 'AccessDenied' } }
      : undefined;
  const found = await doctor({ faults }, 's3://state');
  expect([found.code, lines(found)]).toEqual([
    0,
    [expect.stringMatching(/^unknown .* cannot be read\. .*Allow s3:GetLifecycleConfiguration on state\.$/)],
  ]);
  expect(found.out).toContain('Job clicks');
});

test('a server that is overloaded is asked again', async () => {
  const faults: Faults = ({ operation, attempt }) =>
    operation === 'GetBucketLifecycleConfiguration' && attempt === 1
      ? { failure: { kind: 'answer', status: 500, code: 'InternalError' } }
      : undefined;
  const found = await doctor({ faults, lake: [] }, 's3://lake');
  expect([found.code, lines(found)]).toEqual([0, [expect.stringContaining('below s3://lake/:')]]);
});

test('the policy of the page is exactly what it needs', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/credentials.md'), 'utf8');
  const [, json = ''] = /<!-- policy: doctor -->\n```json\n([^]*?)```/.exec(page) ?? [];
  const policy = JSON.parse(json) as Policy;
  const denied = outside([policy]);
  const asked: Asked[] = [];
  const faults: Faults = ({ operation, bucket, key }) => {
    asked.push({ operation, bucket, key });
    return denied({ operation, bucket, key })
      ? { failure: { kind: 'answer', status: 403, code: 'AccessDenied' } }
      : undefined;
  };
  const found = await doctor({ faults }, 's3://lake', ...job);
  expect([found.code, lines(found), found.err.includes('5 B')]).toEqual([0, [], true]);
  expect(actions(asked)).toEqual(actionsOf(policy));
});
