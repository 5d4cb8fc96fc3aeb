import type { Command } from 'commander';
import { InvalidOption, parseDuration } from '../../config/units.js';
import type { UploadEntry } from '../../fs/operations/index.js';
import { UsageError } from '../exit.js';
import { examples } from '../help.js';
import { locate, single } from '../locate.js';
import { printable, readable } from '../render/text.js';
import { counted, date, iso } from '../render/units.js';
import type { Session, Start } from '../session.js';
import { taken } from '../wait.js';

export function uploads(program: Command, start: Start): void {
  const group = program
    .command('uploads')
    .helpCommand(false)
    .description('multipart uploads that were not completed: they cost money, and no listing shows them')
    .addHelpText(
      'after',
      examples(
        ['millrace uploads ls s3://lake', 'all of a bucket, with their age'],
        ['millrace uploads abort s3://lake --older-than 7d', 'aborts those that are more than a week old'],
      ),
    );
  group
    .command('ls')
    .description('lists unfinished uploads')
    .argument('<prefix>', 'of the objects that they would become')
    .addHelpText('after', examples(['millrace uploads ls --json s3://lake/raw/', 'with upload ids']))
    .action((prefix: string) => start((session) => listUploads(session, prefix)));
  group
    .command('abort')
    .description('aborts old uploads and deletes their parts')
    .argument('<prefix>', 'of the objects that they would become')
    .option(
      '--older-than <time>',
      'only older ones: 12h, 7d; 0s means all, including those of running writers',
    )
    .option('--dry-run', 'show what would be aborted, and abort nothing')
    .addHelpText(
      'after',
      examples(
        ['millrace uploads abort s3://lake/raw/ --older-than 1d', 'keeps the uploads of today'],
        ['millrace uploads abort s3://lake --older-than 7d --dry-run', 'what would be aborted'],
      ),
    )
    .action((prefix: string, options: AbortOptions) => start((session) => abort(session, prefix, options)));
}

interface AbortOptions {
  readonly olderThan?: string;
  readonly dryRun?: true;
}

async function listUploads(session: Session, prefix: string): Promise<void> {
  const { operations, out, json, quiet, err, io, stop } = session;
  const { uri } = single(await locate(prefix, io.cwd));
  let found = 0;
  await taken(operations.uploads(uri), stop, (upload) => {
    found += 1;
    if (json) out.record(recordOf(upload));
    else out.line(lineOf(upload));
  });
  if (found === 0 && !json && !quiet) err.line('There are no unfinished uploads.');
}

async function abort(session: Session, prefix: string, { olderThan, dryRun }: AbortOptions): Promise<void> {
  const { operations, out, json, quiet, err, io, stop } = session;
  if (olderThan === undefined)
    throw new UsageError(
      'Specify how old uploads must be, so that running writers keep theirs: --older-than 1d',
    );
  const age = ageOf(olderThan);
  const { uri } = single(await locate(prefix, io.cwd));
  const before = Date.now() - age;
  let done = 0;
  const source = dryRun === true ? operations.uploads(uri) : operations.abortUploads(uri, { olderThan: age });
  await taken(source, stop, (upload) => {
    if (dryRun === true && upload.initiated > before) return;
    done += 1;
    const type = dryRun === true ? 'would abort' : 'aborted';
    if (json) out.record({ type, ...recordOf(upload) });
    else out.line(`${dryRun === true ? 'Would abort' : 'Aborted'}  ${lineOf(upload)}`);
  });
  if (!json && !quiet) {
    const what = counted(done, 'upload');
    err.line(dryRun === true ? `Nothing was aborted; it would be ${what}.` : `Aborted ${what}.`);
  }
}

function lineOf({ uri, uploadId, initiated }: UploadEntry): string {
  return `${date(initiated)}  ${printable(readable(uri))}  ${printable(uploadId)}`;
}

function recordOf({ uri, uploadId, initiated }: UploadEntry): object {
  return { uri, uploadId, initiated: iso(initiated) };
}

/** Requires a unit: a plain number would be milliseconds. */
function ageOf(text: string): number {
  try {
    return parseDuration('--older-than', text);
  } catch {
    throw new InvalidOption('--older-than', text, 'a number with its unit: 30m, 12h, 7d');
  }
}
