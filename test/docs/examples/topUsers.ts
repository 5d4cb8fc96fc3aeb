import { openState, valueState } from 'millrace';
import { filter, lastValueFrom, map, toArray } from 'rxjs';

export async function topUsers(): Promise<readonly string[]> {
  using state = openState('memory://lake/checkpoints/visits', { states: { visits: valueState(0) } });
  const one = await lastValueFrom(state.get('per-user', 'visits', 'ada'));
  const more = state.entries('per-user', 'visits').pipe(
    filter(({ value }) => value > (one ?? 0)),
    map(({ key, value }) => `${JSON.stringify(key)}: ${value}`),
    toArray(),
  );
  return await lastValueFrom(more);
}
