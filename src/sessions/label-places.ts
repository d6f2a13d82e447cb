import { createHash } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, numberAt, numbersAt, toTtl, type Item } from '../aws/attributes.ts';
import { putIf, readItem, updateIf } from '../aws/table.ts';
import { HOUR, SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { LONGEST_SESSION, type Session } from './session.ts';

/**
 * How many labels one subject may have live on one profile: more sessions than that are somebody's
 * mistake.
 */
const MAX_LABELS = 1_000;

const DEADLINE = 3 * SECOND;

/** Each of them fails only where another instance has just written. */
const MAX_ATTEMPTS = 8;

/** DynamoDB may forget an item only when no session in it can live. */
const KEPT = LONGEST_SESSION + HOUR;

/** Every place is taken. */
export type LabelsFull = {
  readonly kind: 'labels-full';
  readonly most: number;
  /** When the first of them ends, epoch milliseconds. */
  readonly until: number;
};

/**
 * What an item says: the end of the session of each label, in epoch milliseconds, and which writing
 * this is.
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

/** A label may be called `__proto__`, and maps on the wire become objects. */
function placeOf({ label }: Of): string {
  return `/${label}`;
}

/**
 * The places for labelled sessions of one subject on one profile, in one item of the guard table:
 * the end of each label's session. A place is taken before its session opens, and its end never becomes
 * earlier, so that whatever dies in between costs a place until that end and never gives one.
 * What has ended is removed when there is no other place left.
 */
export function createLabelPlaces(client: DynamoDBClient, name: string) {
  const guard = { client, name, deadline: DEADLINE };

  /**
   * Takes a place that is free, or keeps the label's own until a later end; false if that is not
   * to be had so simply.
   */
  async function takeFree(session: Of, now: number): Promise<boolean> {
    const outcome = await updateIf(guard, itemId(session), 'SET live.#label = :ends, #ttl = :ttl ADD version :one', {
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
    });
    return outcome === 'done';
  }

  /**
   * Writes the item anew, without what has ended; false if another has written since it was read.
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
      // Another instance opens the same session, and proposes to end it later.
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
   * Frees the place of a session that has been ended before its end; does nothing if another needs
   * it by now.
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
