import type { Clock } from '../lib/clock.ts';
import type { NamedKind } from '../lib/names.ts';
import type { Result } from '../lib/result.ts';
import { activeSealingKey, type SealingKey } from '../lib/sealing.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { Revocation } from '../revocations/revocation.ts';
import {
  describeHard,
  describeRevocation,
  describeTarget,
  isOf,
  profileOf,
  type Done,
} from './describe-revocation.ts';
import type { HardRevocation } from './hard-revocation.ts';
import { may, mayForSome, type OperationRefusal, type Operator } from './operator.ts';
import { unavailable } from './refusal.ts';
import type { createRevocationRecords } from './revocation-records.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly revocations: Pick<Revocations, 'append' | 'findNow' | 'isBroken' | 'putAside'>;
  readonly hardRevocation: Pick<HardRevocation, 'apply'>;
  readonly records: ReturnType<typeof createRevocationRecords>;
  readonly bareNames: NamedKind;
  readonly onFault: (error: unknown) => void;
};

/** Lifts a revocation by its number. */
export type Lift = (operator: Operator, n: number) => Promise<Result<Done, OperationRefusal>>;

/** What stands for a number of the log that is put aside: nobody knows what it said. */
const UNREADABLE: Omit<Revocation, 'n'> = {
  target: { kind: 'all' },
  reason: 'unknown: it was missing from the table, or not as this TVM wrote it',
  by: '',
  byPrincipal: '',
  createdAt: 0,
  until: undefined,
  own: false,
};

/** Lifting a revocation: an operator's action, and never of one's own. */
export function createLift(dependencies: Dependencies): Lift {
  const { clock, revocations, hardRevocation, records, bareNames, onFault } = dependencies;

  function describe(revocation: Revocation) {
    return { action: 'lifted', ...describeRevocation(revocation, bareNames) } as const;
  }

  /**
   * Refuses as if there were no such revocation; the record names what it takes away where that is
   * known.
   */
  function deny(operator: Operator, n: number, revocation: Revocation | undefined) {
    const about = revocation === undefined ? {} : describeTarget(revocation.target, bareNames);
    const on = { kind: 'revocation', value: `${n}` } as const;
    return records.deny(
      operator,
      { action: 'lifted', ...about },
      { kind: 'not-operator', action: 'lift', on },
    );
  }

  function failOnLog(
    operator: Operator,
    tried: Parameters<typeof records.fail>[1],
    error: unknown,
  ) {
    onFault(error);
    return records.fail(operator, tried, unavailable('revocation_log'));
  }

  /**
   * Puts a number of the log aside that is missing or was changed by others; until then nobody is
   * served.
   */
  async function putAside(operator: Operator, n: number): ReturnType<Lift> {
    if (!may(operator, 'lift', undefined)) return deny(operator, n, undefined);
    const revocation: Revocation = { ...UNREADABLE, n };
    try {
      await revocations.putAside(n);
    } catch (error) {
      return failOnLog(operator, describe(revocation), error);
    }
    return records.conclude(operator, describe(revocation), { revocation, hard: [] });
  }

  async function write(
    operator: Operator,
    revocation: Revocation,
    sealing: SealingKey,
  ): ReturnType<Lift> {
    try {
      await revocations.append({ what: 'lift', lifts: revocation.n, sealing });
    } catch (error) {
      return failOnLog(operator, describe(revocation), error);
    }
    const hard = await hardRevocation.apply(revocation, operator.snapshot);
    return records.conclude(
      operator,
      { ...describe(revocation), ...describeHard(hard) },
      { revocation, hard },
    );
  }

  async function lift(operator: Operator, n: number): ReturnType<Lift> {
    if (!mayForSome(operator, 'lift')) return deny(operator, n, undefined);
    // Use the request up before the revocation is looked for: a copy of the request would find it
    // lifted, and must be told that it is a copy.
    const tried = { action: 'lifted', revocation_id: `${n}` } as const;
    const reserved = await records.reserve(operator, tried);
    if (!reserved.ok) return reserved;
    if (revocations.isBroken(n)) return putAside(operator, n);
    // Find it in the log itself.
    let revocation: Revocation | undefined;
    try {
      revocation = await revocations.findNow(n);
    } catch (error) {
      return failOnLog(operator, tried, error);
    }
    // Refuse what this operator may not lift, as if there were no such revocation.
    if (revocation === undefined || !may(operator, 'lift', profileOf(revocation.target))) {
      return deny(operator, n, revocation);
    }
    if (isOf(revocation, operator)) {
      return records.deny(operator, describe(revocation), {
        kind: 'conflict',
        of: 'own-revocation',
        n,
      });
    }
    // Sign the lifting and write it.
    const sealing = activeSealingKey(operator.snapshot.sealingKeys, clock());
    if (sealing === undefined)
      return records.fail(operator, describe(revocation), unavailable('lifting_key'));
    return write(operator, revocation, sealing);
  }

  return lift;
}
