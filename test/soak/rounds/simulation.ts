/** Whole jobs in virtual time, with outputs of every kind: a thousand scenarios per round. */
import { setImmediate as breathe } from 'node:timers/promises';
import { drawOutput, drawScenario } from '../../simulation/scenario.js';
import { simulate, type Result } from '../../simulation/simulation.js';
import type { Round, Tally } from '../round.js';

const scenarios = 1000;

export const simulation: Round = { name: 'simulation', run };

async function run(seed: number): Promise<Tally> {
  const results: Result[] = [];
  const wrong: string[] = [];
  for (let i = 0; i < scenarios; i++) {
    const drawn = seed * scenarios + i;
    const scenario = { ...drawScenario(drawn), ...drawOutput(drawn) };
    const repeat = `simulate(${JSON.stringify(scenario)})`;
    try {
      const { events, ...result } = simulate(scenario);
      results.push({ ...result, events: events.slice(0, 0) });
      const { lost, duplicated, left, leaked } = result;
      if (lost + duplicated + result.wrong.length + left.length + leaked.length > 0)
        wrong.push(`${repeat}: ${JSON.stringify(result)}`);
    } catch (error) {
      throw new Error(`${repeat} failed`, { cause: error });
    }
    if (i % 10 === 0) await breathe();
  }
  const sum = (of: (result: Result) => number): number =>
    results.reduce((total, each) => total + of(each), 0);
  const lives = sum(({ calls }) => calls.length);
  const fenced = sum(({ outcomes }) => outcomes.filter((each) => each === 'fenced').length);
  return {
    kills: sum(({ kills }) => kills),
    checkpoints: sum(({ checkpoints }) => checkpoints),
    records: sum(({ records }) => records),
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ duplicated }) => duplicated),
    leftovers: results.flatMap(({ left, leaked }) => [...left, ...leaked]),
    wrong,
    note: `${lives} lives, ${fenced} fenced`,
  };
}
