import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export type Env = Readonly<Record<string, string | undefined>>;

/** The settings of a section by name; a nested one is `s3.endpoint_url`. */
export type Section = ReadonlyMap<string, string>;

/** One of the two files that AWS tools share. */
export interface AwsFile {
  readonly path: string;
  /** Why it could not be read, such as `ENOENT`. */
  readonly failure?: string;
}

export interface AwsFiles {
  /** The config file and the credentials file. */
  readonly read: readonly [AwsFile, AwsFile];
  readonly profiles: ReadonlyMap<string, Section>;
  readonly services: ReadonlyMap<string, Section>;
  readonly ssoSessions: ReadonlyMap<string, Section>;
}

/**
 * Reads the files where AWS tools look for them. A profile's section is `[profile name]` in the config file and `[name]` in
 * the credentials file, which takes precedence.
 */
export function readAwsFiles(env: Env): AwsFiles {
  const config = read(env, env['AWS_CONFIG_FILE'], 'config');
  const credentials = read(env, env['AWS_SHARED_CREDENTIALS_FILE'], 'credentials');
  const profiles = ofKind(config.sections, 'profile');
  const unnamed = config.sections.get('default');
  if (unnamed !== undefined)
    profiles.set('default', new Map([...(profiles.get('default') ?? []), ...unnamed]));
  for (const [name, section] of credentials.sections)
    profiles.set(name, new Map([...(profiles.get(name) ?? []), ...section]));
  return {
    read: [config.file, credentials.file],
    profiles,
    services: ofKind(config.sections, 'services'),
    ssoSessions: ofKind(config.sections, 'sso-session'),
  };
}

function read(
  env: Env,
  given: string | undefined,
  name: string,
): { readonly file: AwsFile; readonly sections: ReadonlyMap<string, Section> } {
  const home = homeOf(env);
  const path =
    given === undefined || given === '' ? join(home, '.aws', name) : given.replace(/^~(?=\/)/, home);
  try {
    return { file: { path }, sections: parseSections(readFileSync(path, 'utf8')) };
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    return { file: { path, failure: code }, sections: new Map() };
  }
}

/** The same directory as the SDK's, whose credential providers read the same files. */
function homeOf({ HOME, USERPROFILE, HOMEPATH, HOMEDRIVE = 'C:' }: Env): string {
  if (HOME) return HOME;
  if (USERPROFILE) return USERPROFILE;
  return HOMEPATH ? HOMEDRIVE + HOMEPATH : homedir();
}

function ofKind(sections: ReadonlyMap<string, Section>, kind: string): Map<string, Section> {
  const start = new RegExp(`^${kind}\\s+`);
  return new Map(
    [...sections].flatMap(([title, section]) =>
      start.test(title) ? [[title.replace(start, '').replace(/^(["'])(.*)\1$/, '$2'), section] as const] : [],
    ),
  );
}

/** AWS's dialect of INI: a comment starts a line or follows a space, and indented lines belong to the setting above. */
function parseSections(text: string): Map<string, Section> {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  let parent: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const content = line.replace(/(^|\s)[;#].*$/, '').trim();
    const title = /^\[\s*(.+?)\s*\]$/.exec(content)?.[1];
    if (title !== undefined) {
      section = sections.get(title) ?? new Map();
      sections.set(title, section);
      parent = undefined;
      continue;
    }
    const [, name, value] = /^([^=]*[^=\s])\s*=\s*(.*)$/.exec(content) ?? [];
    if (section === undefined || name === undefined || value === undefined) continue;
    if (!/^\s/.test(line)) parent = undefined;
    if (value === '') parent = name;
    else section.set(parent === undefined ? name : `${parent}.${name}`, value);
  }
  return sections;
}
