import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startDeskReceiver, type DeskReceiver } from '../../src/local/receiver.ts';
import { toBody } from '../../src/notify/event.ts';
import { event, PUBLIC_URL } from '../notify/support.ts';

let receiver: DeskReceiver;
const said: string[] = [];

beforeAll(async () => {
  receiver = await startDeskReceiver((line) => said.push(line));
});
beforeEach(() => {
  said.length = 0;
});
afterAll(() => receiver.close());

async function post(body: string): Promise<number> {
  return (await fetch(receiver.url, { method: 'POST', body })).status;
}

describe('the receiver of the desk', () => {
  it('says one line for an event, whether it came by webhook or by SNS', async () => {
    const body = toBody(event(), PUBLIC_URL);
    expect(await post(body)).toBe(204);
    expect(await post(JSON.stringify({ Type: 'Notification', Message: body }))).toBe(204);
    const line =
      'event request.created 0123456789abcdef.1: profile="prod" requester="key/alice" by="key/alice" ' +
      'justification="deploy the release of today" https://tvm.example.com/requests/0123456789abcdef';
    expect(said).toEqual([line, line]);
  });

  it('shows nothing of a caller that a terminal would act upon', async () => {
    await post(toBody(event({}, { justification: 'a\u001b[2J\nevent forged\u202e' }), PUBLIC_URL));
    expect(said).toHaveLength(1);
    expect(said[0]).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it.each(['', 'x', '{}', '{"Type":"Notification","Message":"x"}', `"${'x'.repeat(70_000)}"`])(
    'says nothing for what is no event',
    async (body) => {
      expect(await post(body).catch(() => 400)).toBe(400);
      expect(said).toEqual([]);
    },
  );
});
