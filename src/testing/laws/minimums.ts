/** Checks of the watermarks and credits that a merge emits. */
import { isSignal } from '../../flow/index.js';
import type { LawElement } from './inputs.js';
import { mergeSources, type MergeRecord } from './mergeInputs.js';
import { broken, isKind } from './output.js';
import type { LawRun } from './run.js';

type Elements = readonly LawElement<MergeRecord>[];

interface EventTime {
  time: number;
  idle: boolean;
}

const unset: EventTime = { time: -Infinity, idle: false };

export function checkWatermarks({ output }: LawRun, inputs: readonly Elements[]): void {
  // The event time that each record's input had reached. Once the input was idle, others need not wait for it.
  const reached = inputs.map((elements) => {
    const at = new Map<number, EventTime>();
    const now = { ...unset };
    for (const each of elements) {
      if (each.kind === 'record') at.set(each.value.n, { ...now });
      else if (each.kind === 'watermark') {
        now.time = Math.max(0, now.time) + (each.rise ?? 1);
        now.idle ||= each.idle === true;
      }
    }
    return at;
  });
  let last = unset;
  for (const each of output) {
    if (isKind(each, 'watermark')) {
      if (each.time < last.time) throw broken('merging', `watermark ${each.time} came after ${last.time}`);
      last = each;
    } else if (!isSignal(each)) {
      const { input, n } = each as MergeRecord;
      const { time, idle } = reached[input]?.get(n) ?? unset;
      if (last.time > time && !idle)
        throw broken(
          'merging',
          `watermark ${last.time} overtook record ${n} of input ${input}, which was at ${time}`,
        );
    }
  }
  const live = inputs.filter((elements) => !elements.some(({ kind }) => kind === 'end'));
  const times = live.map((elements) => {
    let time = -Infinity;
    let idle = false;
    for (const each of elements) {
      if (each.kind !== 'watermark') continue;
      time = Math.max(0, time) + (each.rise ?? 1);
      idle = each.idle === true;
    }
    return { time, idle };
  });
  const active = times.filter(({ idle }) => !idle);
  const least = Math.min(...active.map(({ time }) => time));
  if (active.length > 0 && last.time < least)
    throw broken('merging', `the inputs that are not idle are at watermark ${least}; out came ${last.time}`);
  const idle = live.length > 0 && active.length === 0;
  if (live.length > 0 && last.idle !== idle)
    throw broken(
      'merging',
      `${idle ? 'all inputs are' : 'not all inputs are'} idle, and the last watermark says otherwise`,
    );
}

export function checkCredits({ output }: LawRun, inputs: readonly Elements[]): void {
  for (const source of new Set(mergeSources.flat())) {
    const bringing = mergeSources.flatMap((sources, input) =>
      (sources as readonly string[]).includes(source) ? input : [],
    );
    // For each input, the number of records before each byte of credit.
    const before = bringing.map((input) => {
      const at: number[] = [];
      let records = 0;
      for (const each of inputs[input] ?? []) {
        if (each.kind === 'record') records++;
        else if (each.kind === 'credit' && (each.source ?? mergeSources[input]?.[0]) === source)
          at.push(records);
      }
      const over = inputs[input]?.some(({ kind }) => kind === 'complete') === true;
      return { input, at, records, over };
    });
    let last = 0;
    const seen = new Map<number, number>();
    for (const each of output) {
      if (!isSignal(each)) {
        const { input } = each as MergeRecord;
        seen.set(input, (seen.get(input) ?? 0) + 1);
      } else if (isKind(each, 'credit') && each.source === source) {
        last = Math.max(last, each.bytes);
        for (const { input, at, records, over } of before) {
          const due = at[each.bytes - 1] ?? (over ? records : Infinity);
          if ((seen.get(input) ?? 0) < due)
            throw broken(
              'merging',
              `credit ${each.bytes} of '${source}' came before input ${input} had brought it`,
            );
        }
      }
    }
    const waited = before.filter(({ over }) => !over);
    const least = Math.min(...waited.map(({ at }) => at.length));
    if (waited.length > 0 && last < least)
      throw broken('merging', `both inputs have brought credit ${least} of '${source}'; out came ${last}`);
  }
}
