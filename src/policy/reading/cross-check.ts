import * as v from 'valibot';
import { oneOfWords } from './problem.ts';
import { step } from './schema.ts';

/** What {@link crossCheck} reports: the key it is about, and what to change. */
export type CrossFinding = { readonly key: string; readonly message: string };

/**
 * A check across several keys of a mapping whose keys are each valid. Every finding is reported at
 * its key.
 */
export function crossCheck<Value extends object>(check: (value: Value) => readonly CrossFinding[]) {
  return v.rawCheck<Value>(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const input = dataset.value as Record<string, unknown>;
    for (const { key, message } of check(dataset.value))
      addIssue({ message, path: [step(input, key)] });
  });
}

/**
 * Refuses a mapping that has none of these keys: without a condition a rule would apply to
 * everybody.
 */
export function atLeastOneOf<Value extends object>(...keys: readonly (keyof Value & string)[]) {
  return anyOf<Value>(keys, `must have at least one of ${oneOfWords(keys)}`);
}

/** The same with another message. */
export function anyOf<Value extends object>(
  keys: readonly (keyof Value & string)[],
  message: string,
) {
  return v.check<Value, string>((value) => keys.some((key) => Object.hasOwn(value, key)), message);
}
