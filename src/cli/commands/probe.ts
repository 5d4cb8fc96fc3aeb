import type { Command } from 'commander';
import type { Finding, ServerReport } from '../../store/inspect.js';
import { examples } from '../help.js';
import { locate, single } from '../locate.js';
import { printable, readable } from '../render/text.js';
import { size } from '../render/units.js';
import type { Session, Start } from '../session.js';
import { one } from '../wait.js';

export function probe(program: Command, start: Start): void {
  program
    .command('probe')
    .description(
      'tests what a server does, and which rights are missing, with small objects below .millrace/',
    )
    .argument('<place>', 'a bucket')
    .addHelpText(
      'after',
      examples(
        ['millrace probe s3://lake', 'what the server does, and what it means for jobs'],
        [
          'millrace probe s3://lake --json --set s3.endpoint=http://127.0.0.1:9000',
          'another server; for programs',
        ],
      ),
    )
    .action((place: string) => start((session) => tell(session, place)));
}

async function tell({ stores, out, err, json, quiet, io, stop }: Session, place: string): Promise<void> {
  const { uri, display } = single(await locate(place, io.cwd));
  if (!json && !quiet && err.isTerminal) err.line(`Trying ${display} …`);
  const { inspectServer } = await import('../../store/inspect.js');
  const report = await one(inspectServer(stores.open(uri)), stop);
  if (json) out.record({ ...report, findings: report.findings.map(recordOf) });
  else for (const line of linesOf(report, Math.min(out.columns, widest))) out.line(line);
}

const widest = 120;

function linesOf({ uri, findings, missing }: ServerReport, columns: number): string[] {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap((finding) => {
    const head = `  ${finding.name.padEnd(width)}  ${answerOf(finding).padEnd(7)}  `;
    const [first = '', ...rest] = wrapped(finding.means, Math.max(30, columns - head.length));
    return [head + first, ...rest.map((line) => ' '.repeat(head.length) + line)];
  });
  const rights =
    missing.length === 0
      ? []
      : ['', `Missing rights, to be granted to these credentials: ${missing.join(', ')}`];
  return [readable(uri), ...lines, ...rights].map(printable);
}

function answerOf({ found }: Finding): string {
  if (found === undefined) return '?';
  return typeof found === 'number' ? size(found) : found ? 'yes' : 'no';
}

function recordOf({ name, found, means, error }: Finding): object {
  return {
    name,
    // `null`: not tested. JSON has no `undefined`.
    found: found ?? null,
    means,
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  };
}

function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
