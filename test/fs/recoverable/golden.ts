/**
 * Resumables and committables as each version of the form wrote them. They are in users' checkpoints: entries are added, never
 * changed or removed.
 */
export const recoverableStrings: readonly (readonly [name: string, text: string, expected: object])[] = [
  [
    'version 1: a resumable with parts, and its tail in an object',
    'millrace-resumable 1 8606669f {"store":"memory://lake","key":"out/k\\u00e4se/a.bin","uploadId":"upload-7","putId":"3f0c9a3e-7d0a-4b52-9d3e-0a4f6f1c2b11","parts":[["9e107d9d372bb6826bd81d3542a419d6",8388608],["e4d909c290d0fb1ca068ffaddf22cbd0",8388608]],"size":16847216,"tail":{"object":"out/.millrace-tails/3f0c9a3e-7d0a-4b52-9d3e-0a4f6f1c2b11-000003","length":70000,"sha256":"b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"}}',
    {
      kind: 'resumable',
      key: 'out/käse/a.bin',
      uploadId: 'upload-7',
      size: 16847216,
      parts: [{ number: 1, etag: '9e107d9d372bb6826bd81d3542a419d6', size: 8388608 }, { number: 2 }],
      tail: { ranges: [{ offset: 0, length: 70000 }], inline: undefined },
    },
  ],
  [
    'version 1: a committable',
    'millrace-committable 1 19f311b7 {"store":"memory://lake","key":"out/a.bin","uploadId":"upload-7","putId":"3f0c9a3e-7d0a-4b52-9d3e-0a4f6f1c2b11","parts":[["9e107d9d372bb6826bd81d3542a419d6",8388608],["e4d909c290d0fb1ca068ffaddf22cbd0",8388608]],"size":16777216}',
    { kind: 'committable', key: 'out/a.bin', size: 16777216, tail: undefined },
  ],
  [
    'version 1: a resumable without parts, its bytes inline',
    'millrace-resumable 1 e90dbdfa {"store":"memory://lake","key":"out/a.bin","uploadId":"upload-7","putId":"3f0c9a3e-7d0a-4b52-9d3e-0a4f6f1c2b11","parts":[],"size":5,"tail":{"inline":"aGVsbG8=","length":5}}',
    { kind: 'resumable', parts: [], tail: { inline: Buffer.from('hello') } },
  ],
  [
    'version 1: a file without bytes',
    'millrace-committable 1 5e78de83 {"store":"memory://lake","key":"out/empty","uploadId":"upload-7","putId":"3f0c9a3e-7d0a-4b52-9d3e-0a4f6f1c2b11","parts":[],"size":0}',
    { kind: 'committable', parts: [], size: 0 },
  ],
];
