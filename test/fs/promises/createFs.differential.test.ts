import * as nodeFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { createFs } from '../../../src/fs/promises/index.js';
import { backends } from '../backends.js';
import { command, comparable, encoded, perform, snapshot, type Command } from '../program.js';
import { effort } from '../../support/effort.js';

describe.each(backends)('the same program on node:fs/promises and on millrace/fs over %s', (name, open) => {
  it('gives the same results, the same error codes and the same tree', async () => {
    const backend = await open();
    const fs = createFs({ stores: backend.stores });
    let run = 0;
    let compared = 0;
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(command, { minLength: 3, maxLength: 25 }), async (commands: Command[]) => {
          const root = `${backend.base}run-${run++}/`;
          const disk = await nodeFs.mkdtemp(join(tmpdir(), 'millrace-node-'));
          try {
            await fs.mkdir(root);
            for (const each of commands) {
              if (!comparable(each, (path) => join(disk, path))) continue;
              compared++;
              const theirs = await perform(nodeFs, (path) => `${disk}/${path}`, each);
              const ours = await perform(fs, (path) => encoded(root + path), each);
              expect({ each, outcome: decoded(ours, each) }).toEqual({ each, outcome: theirs });
            }
            expect(await snapshot(fs, root)).toEqual(await snapshot(nodeFs, `${disk}/`));
          } finally {
            await nodeFs.rm(disk, { recursive: true });
          }
        }),
        {
          // The same programs every time: what differs on purpose is listed by hand, and may lack a rare case.
          seed: 1,
          numRuns: name === 'memory' ? effort(50, 150) : name === 'local' ? effort(8, 25) : effort(4, 10),
          endOnFailure: name !== 'memory',
        },
      );
      expect(compared).toBeGreaterThan(run);
    } finally {
      await fs.close();
      await backend.close();
    }
  });
});

/** Paths and names, which come as URIs have them. */
function decoded(outcome: unknown, { op }: Command): unknown {
  const { result } = outcome as { result?: unknown };
  if (op === 'mkdir' && typeof result === 'string') return { result: decodeURIComponent(result) };
  if ((op === 'readdir' || op === 'opendir') && Array.isArray(result))
    return { result: (result as string[]).map(decodeURIComponent).sort() };
  return outcome;
}
