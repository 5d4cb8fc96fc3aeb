/**
 * The verifier, a separate process that does not import millrace: it counts the clicks of the generated files
 * (truth.ts), reads every published object (objects.ts), and compares them (audit.ts).
 *
 * Started with one argument, the task as JSON; answers on stdout with one line of JSON, the {@link Report}.
 */
import { Audit, type Verdict } from './audit.js';
import { client, list, Partial, read, type Place } from './objects.js';
import { truthOf } from './truth.js';

export interface Task {
  /** The generated files. */
  readonly files: readonly string[];
  readonly output: Place;
}

export interface Report extends Verdict {
  readonly events: number;
  readonly clicks: number;
  readonly objects: number;
  readonly partial: number;
}

const { files, output } = JSON.parse(process.argv[2] ?? '') as Task;
const truth = await truthOf(files);
const audit = new Audit(truth);
const s3 = client(output);
let objects = 0;
const broken: string[] = [];
for await (const object of list(s3, output)) {
  objects++;
  try {
    await read(s3, output, object, audit.object(object.key));
  } catch (error) {
    if (!(error instanceof Partial)) throw error;
    broken.push(error.message);
  }
}
s3.destroy();
const verdict = audit.verdict();
const report: Report = {
  ...verdict,
  events: truth.events,
  clicks: truth.clicks,
  objects,
  partial: broken.length,
  findings: [...broken, ...verdict.findings].slice(0, 10),
};
console.log(JSON.stringify(report));
