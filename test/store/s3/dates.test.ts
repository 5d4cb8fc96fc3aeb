/** Dates in answers, in forms that the SDK does not parse. */
import * as sdk from '@aws-sdk/client-s3';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { dateElements, dateHeaders } from '../../../src/store/s3/dates.js';
import { altered, type Alter } from '../alteringProxy.js';
import { answer } from '../s3support.js';

async function through(alter: Alter, work: (store: ObjectStore) => Promise<void>): Promise<void> {
  const server = await altered();
  try {
    await answer(server.lake.put('a', Buffer.from('x')));
    server.alter = alter;
    await work(server.store);
  } finally {
    await server.close();
  }
}

const noon = Date.UTC(2026, 11, 5, 12);

/** Forms of noon, and of no time at all. */
const forms: readonly (readonly [string, number])[] = [
  ['Sat, 05 Dec 2026 12:00:00 GMT', noon],
  ['Sat, 5 Dec 2026 12:00:00 GMT', noon],
  ['Sat, 05 Dec 2026 14:00:00 +0200', noon],
  ['Sat, 05 Dec 2026 12:00:00 UTC', noon],
  ['Sat, 05 Dec 2026 12:00:00', noon],
  ['2026-12-05T12:00:00.000Z', noon],
  ['2026-12-05T12:00:00Z', noon],
  ['2026-12-05T12:00:00+0000', noon],
  ['2026-12-05T14:00:00.000+02:00', noon],
  ['2026-12-05T12:00:00', noon],
  ['2026-12-05 12:00:00', noon],
  ['1796472000', noon],
  ['Sat, 05 Dec 202666 12:00:00 GMT', 0],
  ['never', 0],
  ['0', 0],
  ['', 0],
  ['Sat, 05 Dez 2026 12:00:00 GMT', 0],
  ['2026-13-45T99:00:00Z', 0],
];

describe.each(forms)('as %j', (form, time) => {
  test('a date in a header fails nothing', () =>
    through(
      (reply) => ({
        ...reply,
        headers: { ...reply.headers, ...Object.fromEntries(dateHeaders.map((name) => [name, form])) },
      }),
      async (store) => {
        const { info, chunks } = await answer(store.get('a'));
        expect([info.modified, Buffer.concat(chunks).toString()]).toEqual([time, 'x']);
        expect((await answer(store.head('a'))).modified).toBe(time);
        const { uploadId } = await answer(store.createUpload('b'));
        await answer(store.uploadPart('b', uploadId, 1, Buffer.from('y')));
        const { parts } = await answer(store.listParts('b', uploadId));
        expect(parts).toHaveLength(1);
        await answer(store.completeUpload('b', uploadId, parts));
      },
    ));

  test('a date in a document fails nothing', () =>
    through(
      (reply) => ({
        ...reply,
        body: reply.body.toString().replace(/<(LastModified|Initiated)>[^<]*</g, `<$1>${form}<`),
      }),
      async (store) => {
        const { objects } = await answer(store.list({}));
        expect(objects).toMatchObject([{ key: 'a', modified: time }]);
        await answer(store.copy('a', 'ä'));
        const { uploadId } = await answer(store.createUpload('b'));
        await answer(store.copyPart('b', uploadId, 1, { key: 'a', range: { start: 0, end: 1 } }));
        expect((await answer(store.listParts('b', uploadId))).parts).toHaveLength(1);
        // To abort old uploads, their age must be known.
        const uploads = answer(store.listUploads({ prefix: '' }));
        if (time === 0) await expect(uploads).rejects.toMatchObject({ code: 'NotSupported' });
        else expect((await uploads).uploads).toMatchObject([{ key: 'b', initiated: time }]);
        expect((await answer(store.list({}))).objects.map(({ key }) => key)).toEqual(['a', 'ä']);
      },
    ));
});

test('every date that the SDK would parse is known', () => {
  const outputs = [
    sdk.HeadObjectOutput$,
    sdk.GetObjectOutput$,
    sdk.PutObjectOutput$,
    sdk.ListObjectsV2Output$,
    sdk.DeleteObjectOutput$,
    sdk.DeleteObjectsOutput$,
    sdk.CopyObjectOutput$,
    sdk.CreateMultipartUploadOutput$,
    sdk.UploadPartOutput$,
    sdk.UploadPartCopyOutput$,
    sdk.ListPartsOutput$,
    sdk.ListMultipartUploadsOutput$,
    sdk.CompleteMultipartUploadOutput$,
    sdk.AbortMultipartUploadOutput$,
  ];
  const found = outputs.flatMap((output) => datesIn(output, 'output'));
  const headers = found.flatMap(({ header }) => header ?? []);
  const elements = found.flatMap(({ header, name }) => (header === undefined ? name : []));
  expect(dateHeaders).toEqual(expect.arrayContaining(headers));
  expect(dateElements).toEqual(expect.arrayContaining(elements));
  expect(headers).toContain('x-amz-abort-date');
  expect(elements).toContain('LastModified');
});

interface Found {
  readonly name: string;
  readonly header?: string;
}

/** The timestamps below a schema of the SDK: nested tuples, `[3, …, names, schemas]` for a structure, `[1, …, of]` for a list. */
function datesIn(
  given: unknown,
  name: string,
  traits: { httpHeader?: string; xmlName?: string } = {},
): Found[] {
  const schema: unknown = typeof given === 'function' ? (given as () => unknown)() : given;
  if (typeof schema === 'number') {
    const header = traits.httpHeader?.toLowerCase();
    const found = { name: traits.xmlName ?? name, ...(header === undefined ? {} : { header }) };
    return schema >= 4 && schema <= 7 ? [found] : [];
  }
  if (!Array.isArray(schema)) return [];
  const [kind, , , , inner, of] = schema as unknown[];
  if (kind === 3) return (inner as string[]).flatMap((member, i) => datesIn((of as unknown[])[i], member));
  if (kind === 1) return datesIn(inner, name);
  // A member with traits of its own.
  if (schema.length === 2) return datesIn(kind, name, schema[1] as typeof traits);
  return [];
}
