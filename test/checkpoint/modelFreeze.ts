import type { Committable } from '#src/flow/index.js';
import type { Ack, Attempt, Bounds, World } from './model.js';

/** How the next barrier is frozen, who acks it, and whether immediately. */
export interface Freezing {
  readonly leaveOpen: boolean;
  readonly acks: readonly Ack['id'][];
  readonly later: boolean;
}

export function canFreezeOpen({ open, position }: Attempt, { openFiles, units }: Bounds): boolean {
  return openFiles && (open !== undefined || position < units);
}

/** A barrier arrives: the source takes the next unit, both write what they write, and freeze. The last one takes no unit. */
export function freeze(world: World, attempt: Attempt, checkpoint: number, bounds: Bounds): [World, Attempt] {
  const { freezing, nonce: by, state, position } = attempt;
  const { epoch } = state.log.last!.manifest;
  const object = (of: number, kind: string): string => `data/${epoch}/${of}${kind}`;
  const from = attempt.open === undefined ? position : (attempt.open['from'] as number);
  const to = state.last === undefined ? Math.min(position + 1, bounds.units) : position;
  const empty = from === to;
  const uid = attempt.open?.uid ?? `${epoch}.${checkpoint}`;
  const journal = object(checkpoint, 'j');
  const leaveOpen = freezing.leaveOpen && !empty;
  const open: Committable | undefined = leaveOpen
    ? { uid, from, to, by, objects: [...(attempt.open?.objects ?? []), journal] }
    : undefined;
  const closed: Committable[] = leaveOpen || empty ? [] : [{ uid, from, to }];
  // The objects of an earlier attempt go with its last snapshot.
  const before =
    checkpoint - 1 > state.log.last!.manifest.checkpoint || world.objects.has(object(checkpoint - 1, ''));
  const objects = [...(before ? [object(checkpoint - 1, '')] : []), object(checkpoint, '')];
  const acks: Ack[] = [
    { checkpoint, id: 'in', frozen: { snapshot: { position: to, by }, objects } },
    { checkpoint, id: 'out', frozen: { open: open ? [open] : [], closed } },
  ];
  const written = new Map(world.objects).set(object(checkpoint, ''), by);
  if (leaveOpen) written.set(journal, by);
  const uploads = empty || (bounds.amends && leaveOpen) ? world.uploads : new Set(world.uploads).add(uid);
  return [
    { ...world, objects: written, uploads },
    {
      ...attempt,
      open,
      position: to,
      acks: [...attempt.acks, ...acks.filter(({ id }) => freezing.acks.includes(id))],
    },
  ];
}
