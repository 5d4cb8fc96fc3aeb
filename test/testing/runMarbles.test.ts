import type { OperatorFunction } from 'rxjs';
import { flowOperator, FlowSubscriber, watermark, type Watermark } from '../../src/flow/index.js';
import { records } from '../../src/index.js';
import { parseMarbleFile, runMarbles, type MarbleResult } from '../../src/testing/index.js';

class Awake extends FlowSubscriber<unknown, unknown> {
  override onRecord(value: unknown): void {
    this.emit(value);
  }

  override onWatermark({ time }: Watermark): void {
    this.emit(watermark(time));
  }
}

const awake: OperatorFunction<unknown, unknown> = flowOperator<unknown, unknown>((out) => new Awake(out));
const text = `Watermarks pass.

operator: awake
a = {"n":1}
v = W5
w = W7 idle

in:   O-v-a-w-W-|
out:  O-v-a-w-W-|
`;

const ran = (operator: OperatorFunction<unknown, unknown>): readonly MarbleResult[] =>
  runMarbles(parseMarbleFile(text), () => operator);

test('values are JSON, or watermarks with their time', () => {
  const { title, operator, values } = parseMarbleFile(text);
  expect({ title, operator }).toEqual({ title: 'Watermarks pass.', operator: 'awake' });
  expect(values['a']).toEqual({ n: 1 });
  const times = ['v', 'w'].map((name) => {
    const { time, idle } = values[name] as Watermark;
    return [time, idle];
  });
  expect(times).toEqual([
    [5, false],
    [7, true],
  ]);
});

test('watermarks are identified by time and idleness', () => {
  const passing: OperatorFunction<unknown, unknown> = records<unknown, unknown>((source) => source);
  const [out] = ran(passing);
  expect(out).toEqual({
    line: 'out',
    expected: ['0ms O', '2ms v', '4ms a', '6ms w', '8ms W', '10ms |'],
    actual: ['0ms O', '2ms v', '4ms a', '6ms w', '8ms W', '10ms |'],
  });
});

test('an operator that ignores idleness is detected', () => {
  expect(ran(awake)[0]?.actual).toEqual(['0ms O', '2ms v', '4ms a', '6ms W7', '8ms W', '10ms |']);
});

test('a malformed line is named', () => {
  expect(() => parseMarbleFile('Title\noperator: x\nout2: a')).toThrow(
    'Not a line of a marble file: out2: a',
  );
  expect(() => parseMarbleFile('Title\nin: a')).toThrow('operator:');
});
