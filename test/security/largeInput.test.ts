import { gzipSync } from 'node:zlib';
import { Gunzipper } from '../../src/formats/gzip.js';

describe('small gzip members', () => {
  const opened = (): Gunzipper =>
    new Gunzipper({
      object: 'o',
      from: { at: 0, offset: 0 },
      ready: () => undefined,
      fail: (error) => {
        throw error;
      },
    });

  test('that have arrived are inflated synchronously, without an engine for each', () => {
    const gunzipper = opened();
    gunzipper.push(Buffer.concat(Array<Buffer>(50).fill(gzipSync('{"a":1}\n'))));
    expect(gunzipper.held).toBe(50 * 8);
    expect(gunzipper.hungry).toBe(true);
    gunzipper.close();
  });

  test('yield to other work', () => {
    const gunzipper = opened();
    gunzipper.push(Buffer.concat(Array<Buffer>(1000).fill(gzipSync('x'))));
    let members = 0;
    while (gunzipper.read() !== undefined) members++;
    expect(members).toBeLessThan(100);
    gunzipper.close();
  });
});
