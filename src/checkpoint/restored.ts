import type { Restored } from '../flow/index.js';
import type { Manifest } from './manifest.js';

/** The ids that a claim holds something for: state, or something to publish. */
export function idsOf({ operators, pending }: Manifest): string[] {
  const held = Object.entries(operators)
    .filter(([, { snapshot, objects }]) => snapshot !== undefined || objects.length > 0)
    .map(([id]) => id);
  return [...new Set([...held, ...pending.map(({ sink }) => sink)])];
}

export function restoredOf({ operators, pending }: Manifest, id: string): Restored | undefined {
  const operator = Object.hasOwn(operators, id) ? operators[id] : undefined;
  const mine = pending.filter(({ sink }) => sink === id).map(({ committable }) => committable);
  return operator === undefined && mine.length === 0
    ? undefined
    : { snapshot: operator?.snapshot, pending: mine };
}
