import { attributes, numberAt, textAt, type Item } from '../aws/attributes.ts';
import { changeIf } from '../aws/change.ts';
import { updateIf, type Condition, type Table } from '../aws/table.ts';
import type { Clock } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import { LEASE, type Claimed, type Ref } from './source.ts';

/** The attributes by which an item is claimed. They grant nothing, so they are not signed. */
export const NAMES = {
  '#after': 'outbox_after',
  '#attempts': 'outbox_attempts',
  '#sent': 'outbox_sent',
  '#claim': 'outbox_claim',
} as const;

/** Ends a claim, so that nothing of it is left in the item. */
export const FORGET = 'REMOVE #after, #attempts, #sent, #claim';

/** Whether nobody has the item at `:now`, and its next try is due. */
export const IS_DUE = '(attribute_not_exists(#after) OR #after <= :now)';

/** A claimed item, and the claim without its events. */
export type Taken = { readonly item: Item; readonly claimed: Omit<Claimed, 'events'> };

/** Which claim something is said of. */
type Claim = Ref & Pick<Claimed, 'claim'>;

type Change = {
  readonly update: string;
  readonly names: Readonly<Record<string, string>>;
  readonly values: Item;
};

/** How often an item was tried, as it says. */
export function attemptsOf(item: Item): number {
  const attempts = numberAt(item, NAMES['#attempts']) ?? 0;
  return Number.isSafeInteger(attempts) && attempts > 0 ? attempts : 0;
}

/** When an item may be tried again, as it says: epoch milliseconds, 0 for at any time. */
export function dueAt(item: Item): number {
  return numberAt(item, NAMES['#after']) ?? 0;
}

function sentOf(item: Item): readonly string[] {
  return (textAt(item, NAMES['#sent']) ?? '').split(' ').filter((mark) => mark !== '');
}

/**
 * Claims items of a table by attributes of their own: one conditional write takes the lease, counts
 * the attempt and reads the item, and no other item has to be kept in step. (A lease of
 * `aws/lease.ts` would be one for all rows: a receiver that hangs would hold up every instance, and
 * whoever takes it over has to have watched it.)
 *
 * @param isThere the condition, beside the lease, under which an item is as the ref says
 */
export function createClaims(table: Table, clock: Clock, isThere: (ref: Ref) => Condition) {
  async function take(itemId: string, ref: Ref): Promise<Taken | undefined> {
    const { condition, names, values } = isThere(ref);
    const claim = newHexId();
    const attempts = ref.attempts + 1;
    const [now, until] = [Math.floor(clock()), Math.ceil(clock() + LEASE)];
    const item = await changeIf(table, itemId, {
      update: 'SET #after = :until, #attempts = :attempts, #claim = :claim',
      // Where the SDK repeats a write whose answer was lost, the claim is its own.
      condition: `${condition} AND (${IS_DUE} OR #claim = :claim)`,
      names: {
        ...names,
        '#after': NAMES['#after'],
        '#attempts': NAMES['#attempts'],
        '#claim': NAMES['#claim'],
      },
      values: {
        ...values,
        ...attributes({ ':now': now, ':until': until, ':attempts': attempts, ':claim': claim }),
      },
    });
    if (item === 'refused') return undefined;
    const { id, version } = ref;
    return { item, claimed: { id, version, attempts, claim, sent: sentOf(item) } };
  }

  /** Changes an item as long as it is the claim's. */
  async function settle(itemId: string, claimed: Claim, change: Change): Promise<void> {
    const { condition, names, values } = isThere(claimed);
    await updateIf(table, itemId, change.update, {
      condition: `${condition} AND #claim = :claim`,
      names: { ...names, '#claim': NAMES['#claim'], ...change.names },
      values: { ...values, ...attributes({ ':claim': claimed.claim }), ...change.values },
    });
  }

  /** Leaves the rest of an item for later. */
  function postpone(
    itemId: string,
    claimed: Claim,
    notBefore: number,
    sent: readonly string[],
  ): Promise<void> {
    return settle(itemId, claimed, {
      update: 'SET #after = :after, #sent = :sent REMOVE #claim',
      names: { '#after': NAMES['#after'], '#sent': NAMES['#sent'] },
      values: attributes({ ':after': Math.ceil(notBefore), ':sent': sent.join(' ') }),
    });
  }

  return { take, settle, postpone };
}
