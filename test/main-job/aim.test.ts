import { Aim, classify, kinds, type Layout } from '../../examples/main-job/aim.js';
import { checkpointedPositions } from '../../examples/main-job/supervise.js';

const layout: Layout = {
  bucket: 'lake',
  input: 'x/raw/',
  output: 'x/clicks/',
  checkpoints: 'x/checkpoints/',
};
const n = '00000000000000000012';

describe('classify', () => {
  it.each([
    ['PUT', '/lake/x/clicks/day%3D1/a.ndjson?partNumber=2&uploadId=u', 'part'],
    ['POST', '/lake/x/clicks/day%3D1/a.ndjson?uploadId=u', 'complete'],
    ['PUT', `/lake/x/checkpoints/clicks/log/${n}?x-id=PutObject`, 'manifest'],
    ['PUT', '/lake/x/checkpoints/clicks/data/0000000003/out-7.journal?x-id=PutObject', 'journal'],
    ['GET', '/lake/x/raw/2026/03/02/web-00.ndjson?x-id=GetObject', 'input'],
    ['POST', '/lake/x/clicks/day%3D1/a.ndjson?uploads', 'other'],
    ['DELETE', '/lake/x/clicks/day%3D1/a.ndjson?uploadId=u', 'other'],
    ['GET', '/lake/x/clicks/day%3D1/a.ndjson?uploadId=u', 'other'],
    ['GET', `/lake/x/checkpoints/clicks/log/${n}`, 'other'],
    ['PUT', '/lake/x/checkpoints/clicks/data/0000000003/per-user-7.segment', 'other'],
    ['PUT', '/lake/x/checkpoints/.probe/log', 'other'],
    ['HEAD', '/lake/x/raw/2026/03/02/web-00.ndjson', 'other'],
    ['GET', '/lake?list-type=2&prefix=x%2Fraw%2F', 'other'],
    ['PUT', `/pond/x/checkpoints/clicks/log/${n}`, 'other'],
  ])('%s %s is %s', (method, url, kind) => {
    expect(classify(layout, method, url)).toBe(kind);
  });
});

describe('Aim', () => {
  it('wants nothing before there is durable progress, or after a strike', () => {
    const aim = new Aim();
    expect(kinds.map((kind) => aim.consider(kind))).toEqual([undefined, undefined, undefined, undefined]);
    aim.progressed();
    expect(aim.consider('manifest')).toBe('before');
    aim.strike('manifest', 'before');
    expect(aim.armed).toBe(false);
    expect(aim.consider('part')).toBeUndefined();
  });

  it('chooses kinds evenly, and both moments of each', () => {
    const aim = new Aim();
    for (let i = 0; i < 8; i++) {
      aim.progressed();
      const kind = kinds.find((one) => aim.consider(one) !== undefined)!;
      aim.strike(kind, aim.consider(kind)!);
    }
    const both = { before: 1, after: 1 };
    expect(aim.tally).toEqual({ part: both, journal: both, manifest: both, complete: both });
  });

  it('does not wait forever for a kind that does not occur, and chooses the others evenly', () => {
    const aim = new Aim(3);
    const others = ['part', 'manifest', 'complete'] as const;
    for (const kind of others) {
      aim.progressed();
      aim.strike(kind, 'before');
    }
    for (let i = 0; i < 3; i++) {
      aim.progressed();
      expect(aim.consider('manifest')).toBeUndefined();
    }
    aim.progressed();
    for (const kind of others) {
      aim.progressed();
      expect(aim.consider(kind)).toBe('after');
      aim.strike(kind, 'after');
    }
  });

  it('wants a kind again that it had given up, once it occurs', () => {
    const aim = new Aim(1);
    for (const kind of ['part', 'manifest', 'complete'] as const) aim.strike(kind, 'before');
    aim.progressed();
    aim.progressed();
    expect(aim.consider('manifest')).toBe('after');
    aim.strike('manifest', 'after');
    expect(aim.consider('journal')).toBeUndefined();
    aim.progressed();
    expect(aim.consider('journal')).toBe('before');
    expect(aim.consider('part')).toBeUndefined();
  });
});

describe('checkpointedPositions', () => {
  const entry = (manifest: object): Buffer =>
    Buffer.from(`millrace-manifest 1 00000000\n${JSON.stringify(manifest)}`);
  const events = { kind: 'source', snapshot: { object: 'a', offset: 5 } };

  it('are those of the sources, and nothing else of the manifest', () => {
    const at5 = checkpointedPositions(
      entry({ kind: 'checkpoint', n: 1, operators: { events, out: { kind: 'sink' } } }),
    );
    expect(at5).toBe(
      checkpointedPositions(
        entry({ kind: 'checkpoint', n: 2, operators: { events, out: { kind: 'sink', x: 1 } } }),
      ),
    );
    expect(at5).not.toBe(
      checkpointedPositions(entry({ kind: 'checkpoint', operators: { events: { ...events, snapshot: 6 } } })),
    );
  });

  it('are none for a claim or for anything but a manifest', () => {
    expect(checkpointedPositions(entry({ kind: 'claim', operators: { events } }))).toBeUndefined();
    expect(checkpointedPositions(Buffer.from('?'))).toBeUndefined();
  });
});
