/**
 * The main job's demo: `npm start`.
 *
 *   index ── supervise ── job            the job, in a child process that is killed and started again
 *     │          │         │
 *     │        aim,pace ─ proxy          every request of the job passes here: paced, watched, and held for a kill
 *     │                    │
 *     ├── server ──────────┤             the embedded S3 (or a real one)
 *     ├── watcher ─────────┤             reads what is published, all the time
 *     └── verify ──────────┘             in the end, counts for itself and compares
 *
 * 1. Generate the events, or take them from the cache. 2. Start the store, upload them. 3. Run the job through its
 * kills. 4. Ask the watcher what it has seen. 5. Verify. Whatever happens, all processes and files of the run are gone
 * in the end.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Children } from './children.js';
import { demonstrate, type Result } from './demonstrate.js';
import { options } from './options.js';
import { screen } from './screen.js';
import { summary } from './summary.js';

const chosen = options(process.argv);
const view = screen(chosen.json ? process.stderr : process.stdout);
const dir = await mkdtemp(join(tmpdir(), 'millrace-demo-'));
// The embedded store and its keys are for this run only.
const keys = { AWS_ACCESS_KEY_ID: 'demo', AWS_SECRET_ACCESS_KEY: randomBytes(16).toString('hex') };
// Millrace variables of the environment are for other programs.
for (const name of Object.keys(process.env))
  if (/^(S3|STATE|EXECUTION|RESTART_STRATEGY|MILLRACE)_/.test(name))
    Reflect.deleteProperty(process.env, name);
if (chosen.store === undefined) Object.assign(process.env, keys);
// The SDK's warning about Node 20, once per process, would be half of the demo's output.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
const children = new Children();

const interrupted = new AbortController();
let exitCode = 1;
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  // The first signal ends the run cleanly; a second one has its default effect.
  process.once(signal, () => {
    exitCode = code;
    interrupted.abort();
    void children.end();
  });
}

let result: Result | undefined;
try {
  result = await demonstrate({ options: chosen, children, dir, view, signal: interrupted.signal });
  if (result.exact) exitCode = 0;
} catch (error) {
  if (!interrupted.signal.aborted) console.error(error instanceof Error ? error.message : error);
} finally {
  await children.end();
  await rm(dir, { recursive: true, force: true });
  view.close();
}
if (result !== undefined) console.log(chosen.json ? JSON.stringify(result.line) : summary(result));
// Not `exitCode`: an interrupt right after a kill now and then leaves something that keeps the process alive, although all
// of its children and files are gone by here.
process.exit(exitCode);
