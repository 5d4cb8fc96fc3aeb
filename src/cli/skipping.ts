import { Option, type Command } from 'commander';
import type { Links, Skipping } from '../fs/operations/index.js';
import type { Session } from './session.js';

/** Options for entries of local directories that are not files. */
export interface SkippingOptions<L extends Links = Links> {
  readonly links?: L;
  readonly skipUnreadable?: true;
}

/** Adds `--links`, with the choices of the command, and `--skip-unreadable`. */
export function addSkipping(command: Command, links: readonly Links[]): Command {
  const [usual = ''] = links;
  return command
    .addOption(
      new Option(
        '--links <what>',
        `symbolic links in local directories: ${described(links)}; default: ${usual}`,
      ).choices(links),
    )
    .option('--skip-unreadable', 'skip special and unreadable files with a warning, instead of failing');
}

/** The corresponding options of an operation. Skipped entries are reported. */
export function skippingOf<L extends Links>(
  { warn }: Pick<Session, 'warn'>,
  { links, skipUnreadable }: SkippingOptions<L>,
): Skipping & { readonly links?: L } {
  return {
    onSkipped: warn,
    ...(links === undefined ? {} : { links }),
    ...(skipUnreadable === true ? { unreadable: 'skip' as const } : {}),
  };
}

const meanings: Readonly<Record<Links, string>> = {
  follow: 'follow',
  files: 'files (those to directories fail)',
  skip: 'skip, with a warning',
  fail: 'fail',
};

function described(links: readonly Links[]): string {
  return links.map((one) => meanings[one]).join(', ');
}
