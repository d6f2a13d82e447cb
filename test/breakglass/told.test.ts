import { describe, expect, it } from 'vitest';
import { closed, confirmed, expired, reviewed } from '../../src/breakglass/event.ts';
import { toEventItem, toEventRow } from '../../src/breakglass/row.ts';
import { toldBy, toNotice, withUntold } from '../../src/breakglass/told.ts';
import { ALICE, BOB, KEYS, NOW, SEALING, TABLE, eventOf, valueOf } from './support.ts';

const AT = NOW + 1_000;
const END = NOW + 3_600_000;

describe('toldBy', () => {
  const waiting = eventOf({ confirmWithin: 600 });
  const seconded = valueOf(confirmed(waiting, { at: AT, by: BOB, seen: 0 }));
  const over = valueOf(closed(seconded, ALICE, 'done', AT + 1));

  it.each([
    [waiting, { version: 1, type: 'invoked', at: NOW, actor: 'key/alice', comment: undefined }],
    [seconded, { version: 2, type: 'confirmed', at: AT, actor: 'key/bob', comment: undefined }],
    [over, { version: 3, type: 'closed', at: AT + 1, actor: 'key/alice', comment: 'done' }],
    [
      valueOf(reviewed(over, BOB, 'fine', AT + 1)),
      { version: 4, type: 'reviewed', at: AT + 1, actor: 'key/bob', comment: 'fine' },
    ],
    [
      expired(seconded, END)!,
      { version: 3, type: 'expired', at: END, actor: undefined, comment: undefined },
    ],
  ])('names the latest fact of version %#', (event, told) => {
    expect(toldBy(event)).toEqual(told);
  });
});

describe('a row that is not sent yet', () => {
  it('keeps what earlier versions tell, until all was sent', () => {
    const first = eventOf({ drill: true });
    const row = toEventRow(toEventItem(first, TABLE, SEALING, true), TABLE, KEYS);
    if (row?.genuine !== true) throw new Error('the row is not believed');
    expect(row.event.untold.map(({ type }) => type)).toEqual(['invoked']);
    const next = valueOf(closed(row.event, ALICE, 'done', AT));
    expect(withUntold(next, true).untold.map(({ type, version }) => [type, version])).toEqual([
      ['invoked', 1],
      ['closed', 2],
    ]);
    expect(withUntold(next, false).untold).toEqual([]);
    expect(toEventItem(next, TABLE, SEALING)).not.toHaveProperty('outbox');
    expect(toNotice(next, toldBy(next))).toMatchObject({
      type: 'breakglass.closed',
      matter: {
        kind: 'break_glass',
        id: first.id,
        requester: 'key/alice',
        actor: 'key/alice',
        isDrill: true,
      },
    });
  });
});
