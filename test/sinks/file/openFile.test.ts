import { OpenFile, type PartCut } from '../../../src/sinks/file/openFile.js';
import { BufferPool } from '../../../src/store/multipart/index.js';

describe('OpenFile', () => {
  test('cuts parts of exactly the part size, whatever the records', () => {
    const pool = new BufferPool(1 << 20);
    const file = new OpenFile('u', 'k', 'p', undefined, 0, 1000, pool);
    const parts: PartCut[] = [];
    let all = '';
    const record = (text: string): void => {
      all += text;
      file.text += text;
      file.flush((part) => parts.push(part));
    };
    for (let i = 0; i < 300; i++) record(`${i} ${'€ü😀x'.repeat(i % 13)}\n`);
    record('y'.repeat(5000));
    file.roll((part) => parts.push(part));
    expect(parts.slice(0, -1).every((part) => part.size === 1000)).toBe(true);
    expect(parts.map((part) => part.number)).toEqual(parts.map((_, i) => i + 1));
    const bytes = Buffer.concat(parts.map((part) => part.memory!.subarray(0, part.size)));
    expect(bytes.toString()).toBe(all);
    expect(file.size).toBe(bytes.length);
  });
});
