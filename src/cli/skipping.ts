import { Option, type Command } from 'commander';
import type { Links, Skipping } from '../fs/operations/index.js';
import type { Session } from './session.js';

/** Options about what local directories hold besides files. */
export interface SkippingOptions<L extends Links = Links> {
  readonly links?: L;
  readonly skipUnreadable?: true;
}

/** Adds `--links`, with what the command can do with them, and `--skip-unreadable`. */
export function addSkipping(command: Command, links: readonly Links[]): Command {
  const [usual = ''] = links;
  return command
    .addOption(
      new Option(
        '--links <what>',
        `symbolic links in local directories: ${said(links)}; default: ${usual}`,
      ).choices(links),
    )
    .option(
      '--skip-unreadable',
      'leave out, with a warning, what is no file or may not be read, and do not fail',
    );
}

/** What the options say, for an operation. What is skipped is told. */
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

function said(links: readonly Links[]): string {
  return links.map((one) => meanings[one]).join(', ');
}
