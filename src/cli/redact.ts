import { findKey, schema, variableOf } from '../config/schema/index.js';

const hidden = '<hidden>';

/** A shorter text could be part of any word. */
const shortest = 6;

/**
 * Keys and secret of an `s3x://` URI, or those of a proxy, also where they were written into another, or hold a slash. None is
 * so long that every URI of a long text had to be looked through to its end.
 */
const inUri = /\b((?:s3[ax]?|https?):\/\/)(?:[^/\s@:[]{0,1000}:(?!\d+\/)\S{0,3000}|[^/\s@]{0,3000})@/gi;

const variables: ReadonlySet<string> = new Set([
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  ...schema
    .filter(({ kind }) => kind.name === 'secret')
    .flatMap((row) => [row.key, ...(row.aliases ?? [])].map((key) => variableOf(row, key) ?? '')),
]);

/**
 * Takes secrets out of text of any origin: user info of URIs, and every secret that the environment or the command
 * line holds. The library shows none; this is for what comes from elsewhere, such as a mistyped argument, or a foreign error
 * under `--debug`.
 */
export function redactor(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): (text: string) => string {
  const given = Object.entries(env).flatMap(([name, value]) => (variables.has(name) ? [value ?? ''] : []));
  const said = argv.flatMap((argument) => {
    const [, key = '', value = ''] = /^(?:--[\w-]+=)?([^=\s]+)=([^]*)$/.exec(argument) ?? [];
    return findKey(key)?.row.kind.name === 'secret' || /secret|token|password|access-?key/i.test(key)
      ? [value]
      : [];
  });
  const secrets = [...given, ...said]
    .filter((secret) => secret.length >= shortest)
    .sort((a, b) => b.length - a.length)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  return (text) =>
    secrets.reduce((clean, secret) => clean.replaceAll(secret, hidden), text.replace(inUri, '$1'));
}
