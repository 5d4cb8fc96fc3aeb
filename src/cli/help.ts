import { createRequire } from 'node:module';
import type { Command, OutputConfiguration } from 'commander';
import { addGlobalOptions } from './globals.js';

/** Configures the program's help and output. Call it before adding commands, which inherit these settings. */
export function describe(program: Command, output: OutputConfiguration): void {
  const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string };
  program
    .description(
      'Lists, reads, copies, moves and removes files and objects, on S3, on servers like it, and on local disks.',
    )
    .usage('<command> [options] [arguments]')
    .version(version, '-V, --version', 'the version')
    .helpOption('-h, --help', 'help; `millrace <command> --help` has examples')
    .helpCommand(false)
    .configureOutput(output)
    .configureHelp({ showGlobalOptions: true, subcommandTerm: (command) => command.name() })
    .exitOverride()
    .addHelpText('after', more);
  addGlobalOptions(program);
}

/** Examples of a command, shown below its help. */
export function examples(...lines: readonly (readonly [command: string, what: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  return ['', 'Examples:', ...lines.map(([command, what]) => `  ${command.padEnd(width)}   ${what}`)].join(
    '\n',
  );
}

const more = `
Places:
  s3://bucket/key                  an object, or with a slash at its end a directory; s3a:// is the same
  s3x://host:port/bucket/key       on the server that it names
  file:///directory/name, ./name   local files
  's3://bucket/**/*.csv'           wildcards, in quotes: * ? [a-z] {a,b} within a name, ** across slashes
  -                                standard input or output, with cp

Credentials:
  Where the AWS tools find them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials and
  ~/.aws/config (AWS_PROFILE), SSO, or the role of the container or instance. Or by configuration:
  s3.access-key and s3.secret-key, s3.assume-role.arn and more, in millrace.yaml, or as S3_ACCESS_KEY,
  S3_SECRET_KEY and so on. Not by --set: every user of a machine can see its command lines.

Servers other than AWS:
  millrace ls s3://lake --set s3.endpoint=http://127.0.0.1:9000

Exit codes:
  0 done, 1 failed, 2 wrong usage, 3 not found, 130 interrupted (143 terminated)

First steps:
  millrace ls s3://lake            what is there
  millrace config                  the effective settings, and where each comes from
  millrace probe s3://lake         whether the server answers, and what it can do
`;
