import { fill } from '../schema/index.js';
import { ranks, type Setting, type Settings } from './settings.js';

/**
 * Groups of keys with the same meaning. The group from the source with the highest precedence (set, code, environment, file)
 * is used; of two from the same source, the first one here. The others are ignored with a warning.
 */
export interface Family {
  readonly meaning: string;
  readonly groups: readonly (readonly string[])[];
}

const bucket = 's3.bucket.<name>.';

export const familyTable: readonly Family[] = [
  { meaning: 'Region', groups: [['s3.region'], ['aws.region']] },
  { meaning: 'Path style', groups: [['s3.path-style-access'], ['s3.spi.force-path-style']] },
  {
    meaning: 'Credentials',
    groups: [
      ['s3.credentials'],
      ['s3.access-key', 's3.secret-key', 's3.session-token'],
      [
        'aws.credentials.provider',
        'aws.credentials.provider.basic.accesskeyid',
        'aws.credentials.provider.basic.secretkey',
        'aws.credentials.provider.profile.name',
      ],
      ['aws.accessKeyId', 'aws.secretAccessKey'],
    ],
  },
  {
    meaning: 'Credentials of a bucket',
    groups: [
      [`${bucket}credentials`],
      [`${bucket}access-key`, `${bucket}secret-key`, `${bucket}session-token`],
      [`${bucket}credentials.provider`, `${bucket}credentials.profile`],
    ],
  },
  {
    meaning: 'Role',
    groups: [
      ['s3.assume-role.arn', 's3.assume-role.external-id', 's3.assume-role.session-name'],
      [
        'aws.credentials.provider.role.arn',
        'aws.credentials.provider.role.externalId',
        'aws.credentials.provider.role.sessionName',
      ],
    ],
  },
  {
    meaning: 'Checkpoint directory',
    groups: [
      ['state.checkpoints.dir'],
      ['state.backend.s3.bucket', 'state.backend.s3.base-path', 'state.backend.s3.checkpoint-prefix'],
    ],
  },
  {
    meaning: 'Savepoint directory',
    groups: [['state.savepoints.dir'], ['state.backend.s3.savepoint-prefix']],
  },
  {
    meaning: 'Folder of exported state',
    groups: [['state.exports.dir'], ['state.backend.s3.state-prefix']],
  },
];

/** The value of each key from the source with the highest precedence. */
export function winnersOf(all: readonly Setting[]): Map<string, Setting> {
  const winners = new Map<string, Setting>();
  for (const setting of all) {
    const other = winners.get(setting.key);
    if (other === undefined || ranks[setting.origin.from] > ranks[other.origin.from])
      winners.set(setting.key, setting);
  }
  return winners;
}

/** Keeps one group of each family. */
export function chooseGroups(winners: Map<string, Setting>, settings: Settings): void {
  const names = new Set<string>();
  for (const {
    row,
    names: [name],
  } of winners.values())
    if (row.key.startsWith(bucket)) names.add(name ?? '');
  for (const { groups } of familyTable) {
    if (groups[0]?.[0]?.startsWith(bucket))
      for (const name of names) chooseGroup(groups, [name], winners, settings);
    else chooseGroup(groups, [], winners, settings);
  }
}

function chooseGroup(
  groups: Family['groups'],
  names: readonly string[],
  winners: Map<string, Setting>,
  settings: Settings,
): void {
  const present = groups
    .map((keys) => keys.flatMap((key) => winners.get(fill(key, names)) ?? []))
    .filter((group) => group.length > 0);
  const rank = (group: readonly Setting[]): number =>
    Math.max(...group.map(({ origin }) => ranks[origin.from]));
  const best = present.reduce<readonly Setting[] | undefined>(
    (one, other) => (one === undefined || rank(other) > rank(one) ? other : one),
    undefined,
  );
  if (best === undefined || keysOfBasic(best, present)) return;
  for (const group of present) {
    if (group === best) continue;
    for (const { key, origin } of group) {
      winners.delete(key);
      if (rank(group) === rank(best)) {
        settings.warnings.push(
          `${key} (${origin.where}) is not used: ${best[0]?.key ?? ''} (${best[0]?.origin.where ?? ''}) is set.`,
        );
      }
    }
  }
}

/** Whether the provider BASIC is combined with the keys of the last group. */
function keysOfBasic(best: readonly Setting[], present: readonly (readonly Setting[])[]): boolean {
  return (
    best.length === 1 &&
    best[0]?.key === 'aws.credentials.provider' &&
    best[0].value === 'BASIC' &&
    present.length === 2 &&
    present[1]?.[0]?.key.startsWith('aws.') === true
  );
}
