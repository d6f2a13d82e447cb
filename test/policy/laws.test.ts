import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAccessPolicy } from '../../src/policy/documents/access-policy.ts';
import { compileAccessPolicy } from '../../src/policy/compile.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import { explain } from '../../src/policy/explain.ts';
import { lint } from '../../src/policy/lint.ts';
import { asRead, documents, policyData, requests, valueOf } from './support.ts';

const RUNS = { numRuns: 500 };

type Json = Readonly<Record<string, unknown>>;

function isMapping(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Copies of the document, each with one more entry in one of its mappings. A device may hold any
 * keys.
 */
function withEntryAnywhere(value: unknown, key: string, content: unknown): readonly unknown[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) =>
      withEntryAnywhere(item, key, content).map((changed) => value.with(index, changed)),
    );
  }
  if (!isMapping(value)) return [];
  const here = Object.hasOwn(value, key)
    ? []
    : [Object.fromEntries([...Object.entries(value), [key, content]])];
  const below = Object.entries(value)
    .filter(([name]) => name !== 'device')
    .flatMap(([name, inner]) =>
      withEntryAnywhere(inner, key, content).map((changed) =>
        Object.assign({}, value, { [name]: changed }),
      ),
    );
  return [...here, ...below];
}

const KNOWN: ReadonlySet<string> = new Set(
  'version rules name effect conditions reason max_server_duration session_table profiles users time mode device principals principal_ids accounts days hours timezone start end'.split(
    ' ',
  ),
);

describe('every policy', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(policyData, (data) => {
        expect(valueOf(readAccessPolicy(JSON.stringify(data)))).toEqual(asRead(data));
      }),
      { numRuns: 100 },
    );
  });

  it('denies a request that no rule matches', () => {
    fc.assert(
      fc.property(documents, requests, (document, request) => {
        const policy = compileAccessPolicy(document);
        const decision = evaluate(policy, request);
        const matched = explain(policy, request).some((trace) => trace.matched);
        expect(decision.ruleIndex >= 0).toBe(matched);
        const none = { effect: 'deny', ruleIndex: -1, namesCaller: false };
        expect(matched ? none : decision).toEqual(none);
      }),
      RUNS,
    );
  });

  it('decides the same when rules after the first match change', () => {
    fc.assert(
      fc.property(documents, documents, requests, (document, others, request) => {
        const decision = evaluate(compileAccessPolicy(document), request);
        if (decision.ruleIndex < 0) return;
        const kept = document.rules.slice(0, decision.ruleIndex + 1);
        const changed = { ...document, rules: [...kept, ...others.rules] };
        expect(evaluate(compileAccessPolicy(changed), request)).toEqual(decision);
      }),
      RUNS,
    );
  });

  it('decides the same without the rules that do not match', () => {
    fc.assert(
      fc.property(documents, requests, (document, request) => {
        const policy = compileAccessPolicy(document);
        const traces = explain(policy, request);
        const matching = document.rules.filter((_rule, index) => traces[index]?.matched);
        const { ruleIndex: _before, ...decision } = evaluate(policy, request);
        const { ruleIndex: _after, ...again } = evaluate(
          compileAccessPolicy({ ...document, rules: matching }),
          request,
        );
        expect(again).toEqual(decision);
      }),
      RUNS,
    );
  });

  it('never matches more when a rule gets another condition', () => {
    fc.assert(
      fc.property(documents, documents, requests, (document, others, request) => {
        const [rule] = document.rules;
        const [other] = others.rules;
        if (rule === undefined || other === undefined) return;
        const narrowed = { ...rule, conditions: { ...other.conditions, ...rule.conditions } };
        function matches(only: typeof narrowed): boolean {
          return (
            evaluate(compileAccessPolicy({ ...document, rules: [only] }), request).ruleIndex === 0
          );
        }
        expect(matches(narrowed) && !matches(rule)).toBe(false);
      }),
      RUNS,
    );
  });

  it('is refused with an unknown key anywhere', () => {
    const names = [
      'toString',
      'valueOf',
      'hasOwnProperty',
      '__proto__',
      'constructor',
      'prototype',
      '<<',
      'user',
      'Users',
      'users ',
      'condition',
      '',
    ];
    const keys = fc.oneof(fc.constantFrom(...names), fc.string()).filter((key) => !KNOWN.has(key));
    fc.assert(
      fc.property(policyData, keys, fc.jsonValue(), fc.nat(), (data, key, content, place) => {
        const places = withEntryAnywhere(data, key, content);
        const changed = places[place % places.length];
        expect(readAccessPolicy(JSON.stringify(changed)).ok).toBe(false);
      }),
      RUNS,
    );
  });

  it('is explained as it is evaluated', () => {
    fc.assert(
      fc.property(documents, requests, (document, request) => {
        const policy = compileAccessPolicy(document);
        const traces = explain(policy, request);
        const { ruleIndex, ruleEffect } = evaluate(policy, request);
        expect(traces.findIndex(({ matched, reached }) => matched && reached)).toBe(ruleIndex);
        expect(traces.map(({ reached }) => reached)).toEqual(
          traces.map((_trace, index) => ruleIndex < 0 || index <= ruleIndex),
        );
        expect(traces.map(({ failed }) => failed.length === 0)).toEqual(
          traces.map(({ matched }) => matched),
        );
        expect(traces[ruleIndex]?.effect).toBe(ruleEffect);
      }),
      RUNS,
    );
  });

  it('names exactly the callers that the deciding rule lists', () => {
    fc.assert(
      fc.property(documents, requests, (document, request) => {
        const { ruleIndex, namesCaller } = evaluate(compileAccessPolicy(document), request);
        const given = document.rules[ruleIndex]?.conditions;
        const { name, principal, uniqueId } = request.caller;
        const listed =
          (name !== '' && given?.users?.includes(name)) ||
          given?.principal_ids?.includes(uniqueId ?? 'none') ||
          given?.principals?.includes(principal) ||
          false;
        expect(namesCaller).toBe(listed);
      }),
      RUNS,
    );
  });

  it('never decides by a rule that lint calls unreachable', () => {
    fc.assert(
      fc.property(documents, requests, (document, request) => {
        const dead = lint(document)
          .filter(({ kind }) => kind === 'unreachable-rule')
          .map(({ rule }) => rule);
        expect(dead).not.toContain(evaluate(compileAccessPolicy(document), request).rule);
      }),
      { numRuns: 2_000 },
    );
  });

  it('gets a warning from lint where an allow hides a matching deny', () => {
    fc.assert(
      fc.property(documents, requests, (document, request) => {
        const policy = compileAccessPolicy(document);
        const decision = evaluate(policy, request);
        const hidden = explain(policy, request).some(
          ({ matched, reached, effect }) => matched && !reached && effect === 'deny',
        );
        if (
          !hidden ||
          (decision.effect !== 'allow' && decision.effect !== 'require_server_session')
        )
          return;
        const warned = lint(document)
          .filter(({ kind }) => kind === 'allow-before-deny')
          .map(({ rule }) => rule);
        expect(warned).toContain(decision.rule);
      }),
      { numRuns: 3_000 },
    );
  });
});
