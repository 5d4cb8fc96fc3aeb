/** Calls `run` with the streams and signals of this process. A second interrupt exits immediately. */
import { Interrupted, exitCodes } from './exit.js';
import { run } from './run.js';

// The SDK's warnings about Node versions do not concern users of the command.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupt.signal.aborted) process.exit(exitCodes[signal]);
    interrupt.abort(new Interrupted(signal));
  });
}

process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  interrupt: interrupt.signal,
});
