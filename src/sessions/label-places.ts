import { createHash } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, numberAt, numbersAt, toTtl, type Item } from '../aws/attributes.ts';
import { putIf, readItem, updateIf } from '../aws/table.ts';
import { HOUR, SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { LONGEST_SESSION, type Session } from './session.ts';

/**
 * How many labels one subject may have live on one profile: more sessions than that are a mistake.
 */
const MAX_LABELS = 1_000;

/** How long one call of DynamoDB may take, its retries included. */
const DEADLINE = 3 * SECOND;

/** How many tries a place gets: each fails only if another instance has just written the item. */
const MAX_ATTEMPTS = 8;

/** How long DynamoDB keeps an item after it was written: no session in it can live longer. */
const KEPT = LONGEST_SESSION + HOUR;

/** The refusal of a label because every place is taken. */
export type LabelsFull = {
  readonly kind: 'labels-full';
  readonly most: number;
  /** When the first of them ends, epoch milliseconds. */
  readonly until: number;
};

/**
 * What an item says: when the session of each label ends, in epoch milliseconds, and the item's
 * version.
 */
type Places = { readonly live: ReadonlyMap<string, number>; readonly version: number | undefined };

type Of = Pick<Session, 'subject' | 'profile' | 'label' | 'endsAt'>;

function itemId({ subject, profile }: Of): string {
  const text = JSON.stringify([subject, profile]);
  return `labels#${createHash('sha256').update(text).digest('hex')}`;
}

function toPlaces(item: Item | undefined): Places {
  return { live: numbersAt(item, 'live'), version: numberAt(item, 'version') };
}

/**
 * The name of a label's place, with a prefix: a label may be `__proto__`, and maps on the wire
 * become objects.
 */
function placeOf({ label }: Of): string {
  return `/${label}`;
}

/**
 * The places for labelled sessions of one subject on one profile, in one item of the guard table,
 * which holds when the session of each label ends. A place is taken before its session opens, and
 * its end never becomes earlier: an instance that dies in between costs a place until that end, and
 * never frees one that is in use. Places of ended sessions are removed when no other is free.
 */
export function createLabelPlaces(client: DynamoDBClient, name: string) {
  const guard = { client, name, deadline: DEADLINE };

  /**
   * Takes a free place, or extends the label's own, in one write; false if neither is possible that
   * way.
   */
  async function takeFree(session: Of, now: number): Promise<boolean> {
    const outcome = await updateIf(
      guard,
      itemId(session),
      'SET live.#label = :ends, #ttl = :ttl ADD version :one',
      {
        condition:
          'attribute_type(live, :map) AND ((attribute_not_exists(live.#label) AND size(live) < :most) OR live.#label < :ends)',
        names: { '#label': placeOf(session), '#ttl': 'ttl' },
        values: attributes({
          ':map': 'M',
          ':most': MAX_LABELS,
          ':ends': session.endsAt,
          ':ttl': toTtl(now + KEPT),
          ':one': 1,
        }),
      },
    );
    return outcome === 'done';
  }

  /**
   * Replaces the item by these places and the session's; false if another instance has written
   * since it was read.
   */
  async function rewrite(session: Of, { live, version }: Places, now: number): Promise<boolean> {
    const item = attributes({
      id: itemId(session),
      live: new Map([...live, [placeOf(session), session.endsAt]]),
      version: (version ?? 0) + 1,
      ttl: toTtl(now + KEPT),
    });
    const outcome = await putIf(
      guard,
      item,
      version === undefined
        ? { condition: 'attribute_not_exists(version)' }
        : { condition: 'version = :read', values: attributes({ ':read': version }) },
    );
    return outcome === 'done';
  }

  /**
   * Takes a place for a session that is about to open, until its end. Rejects when DynamoDB fails.
   *
   * @param now epoch milliseconds
   */
  async function take(session: Of, now: number): Promise<Result<'taken', LabelsFull>> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      if (await takeFree(session, now)) return ok('taken');
      const { live, version } = toPlaces(await readItem(guard, itemId(session)));
      // Another instance opens the same session and has proposed a later end.
      if ((live.get(placeOf(session)) ?? 0) >= session.endsAt) return ok('taken');
      const left = new Map([...live].filter(([, ends]) => ends > now));
      if (left.size >= MAX_LABELS && !left.has(placeOf(session))) {
        return refuse({ kind: 'labels-full', most: MAX_LABELS, until: Math.min(...left.values()) });
      }
      if (await rewrite(session, { live: left, version }, now)) return ok('taken');
    }
    throw new Error('the item of a subject’s labels is written by others again and again');
  }

  /**
   * Frees the place of a session that was ended early; does nothing if another session of the label
   * needs it by now.
   */
  async function free(session: Of): Promise<void> {
    await updateIf(guard, itemId(session), 'REMOVE live.#label ADD version :one', {
      condition: 'live.#label <= :ends',
      names: { '#label': placeOf(session) },
      values: attributes({ ':ends': session.endsAt, ':one': 1 }),
    });
  }

  return { take, free };
}
