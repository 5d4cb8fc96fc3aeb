import { fill } from '../schema/index.js';
import { ranks, type Said, type Sayings } from './said.js';

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
];

/** The value of each key from the source with the highest precedence. */
export function winnersOf(all: readonly Said[]): Map<string, Said> {
  const winners = new Map<string, Said>();
  for (const said of all) {
    const other = winners.get(said.key);
    if (other === undefined || ranks[said.origin.from] > ranks[other.origin.from])
      winners.set(said.key, said);
  }
  return winners;
}

/** Keeps one group of each family. */
export function settleFamilies(winners: Map<string, Said>, sayings: Sayings): void {
  const names = new Set<string>();
  for (const {
    row,
    names: [name],
  } of winners.values())
    if (row.key.startsWith(bucket)) names.add(name ?? '');
  for (const { groups } of familyTable) {
    if (groups[0]?.[0]?.startsWith(bucket))
      for (const name of names) settle(groups, [name], winners, sayings);
    else settle(groups, [], winners, sayings);
  }
}

function settle(
  groups: Family['groups'],
  names: readonly string[],
  winners: Map<string, Said>,
  sayings: Sayings,
): void {
  const said = groups
    .map((keys) => keys.flatMap((key) => winners.get(fill(key, names)) ?? []))
    .filter((group) => group.length > 0);
  const rank = (group: readonly Said[]): number => Math.max(...group.map(({ origin }) => ranks[origin.from]));
  const best = said.reduce<readonly Said[] | undefined>(
    (one, other) => (one === undefined || rank(other) > rank(one) ? other : one),
    undefined,
  );
  if (best === undefined || keysOfBasic(best, said)) return;
  for (const group of said) {
    if (group === best) continue;
    for (const { key, origin } of group) {
      winners.delete(key);
      if (rank(group) === rank(best)) {
        sayings.warnings.push(
          `${key} (${origin.where}) is not used: ${best[0]?.key ?? ''} (${best[0]?.origin.where ?? ''}) is set.`,
        );
      }
    }
  }
}

/** Whether the provider BASIC is combined with the keys of the last group. */
function keysOfBasic(best: readonly Said[], said: readonly (readonly Said[])[]): boolean {
  return (
    best.length === 1 &&
    best[0]?.key === 'aws.credentials.provider' &&
    best[0].value === 'BASIC' &&
    said.length === 2 &&
    said[1]?.[0]?.key.startsWith('aws.') === true
  );
}
