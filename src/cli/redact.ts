import { findKey, schema, variableOf } from '../config/schema/index.js';

const hidden = '<hidden>';

/** Shorter strings could be part of any word. */
const shortest = 6;

/**
 * User info of `s3x://` URIs and proxies, also misplaced in other URIs, or with a slash in the secret. The lengths are bounded to
 * bound the time of the search.
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
 * Removes secrets from any text: user info of URIs, and every secret in the environment and the command line. The library shows
 * none; this is for text from other sources, such as a mistyped argument, or another library's error under `--debug`.
 */
export function redactor(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): (text: string) => string {
  const given = Object.entries(env).flatMap(([name, value]) => (variables.has(name) ? [value ?? ''] : []));
  const inArguments = argv.flatMap((argument) => {
    const [, key = '', value = ''] = /^(?:--[\w-]+=)?([^=\s]+)=([^]*)$/.exec(argument) ?? [];
    return findKey(key)?.row.kind.name === 'secret' || /secret|token|password|access-?key/i.test(key)
      ? [value]
      : [];
  });
  const secrets = [...given, ...inArguments]
    .filter((secret) => secret.length >= shortest)
    .sort((a, b) => b.length - a.length)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  return (text) =>
    secrets.reduce((clean, secret) => clean.replaceAll(secret, hidden), text.replace(inUri, '$1'));
}
