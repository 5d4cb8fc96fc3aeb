/** Helpers for the output of a run. */
import { isSignal, signal, type Signal } from '../../flow/index.js';

export function broken(law: string, detail: string): Error {
  return new Error(`Law of ${law} broken: ${detail}`);
}

export const isKind = <K extends Signal[typeof signal]>(
  value: unknown,
  kind: K,
): value is Extract<Signal, { [signal]: K }> => isSignal(value) && value[signal] === kind;

export const show = (value: unknown): string => {
  if (value instanceof Error) return `error ${value.message}`;
  if (!isSignal(value)) return JSON.stringify(value);
  return value[signal] === 'barrier' ? `barrier ${value.checkpoint}` : value[signal];
};

export const records = (output: readonly unknown[]): string[] =>
  output.filter((each) => !isSignal(each)).map(show);
