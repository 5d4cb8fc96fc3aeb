import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createJob, files, ndjson } from '../../src/index.js';
import { flowOperator, FlowSubscriber, type Credit, type Open } from '../../src/entries/operators.js';
import { gzipMembers } from './harness.js';

// The machine may be busy with other tests.
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'millrace-gzip-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** NDJSON that gzip makes 24 times smaller. */
function log(rows: number): Buffer {
  const agent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0';
  const lines = Array.from({ length: rows }, (_, i) =>
    JSON.stringify({ at: 1_700_000_000_000 + i * 1000, agent, status: 200, kind: 'request finished' }),
  );
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** Counts records, and processes them more slowly than gzip inflates. */
class Patient extends FlowSubscriber<{ at: number }, never> {
  static records = 0;
  #open: Open | undefined;

  override onOpen(open: Open): void {
    this.#open = open;
    this.emit(open);
  }

  override onRecord(): void {
    Patient.records++;
  }

  override onCredit(credit: Credit): void {
    this.#open?.attempt.clock.after(2, () => {
      this.turn(() => {
        this.emit(credit);
      });
    });
  }
}

it('a job over local gzip objects of 24:1 with a slow consumer reads all of them and ends', async () => {
  const objects = 12;
  const rows = 4000;
  await mkdir(join(dir, 'in'));
  for (let i = 0; i < objects; i++) {
    const content = log(rows + i);
    // Appended to occasionally.
    const cuts = Array.from({ length: 4 * i }, (_, n) => Math.floor((content.length * n) / (4 * i)));
    const stored = gzipMembers(content, cuts);
    expect(content.length / stored.length).toBeGreaterThan(20);
    await writeFile(join(dir, 'in', `${i}.ndjson.gz`), stored);
  }
  const uri = pathToFileURL(dir).href;
  const job = createJob({
    name: 'gzip',
    checkpoints: { dir: `${uri}/checkpoints`, interval: '200ms' },
    budget: '64KiB',
  });
  const input = job.source('in', files(`${uri}/in/*.ndjson.gz`, { format: ndjson<{ at: number }>() }));
  const { outcome } = await job.run(
    input.pipe(flowOperator<{ at: number }, never>((out) => new Patient(out))),
  );
  expect(outcome).toBe('finished');
  expect(Patient.records).toBe(objects * rows + (objects * (objects - 1)) / 2);
});
