import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import { escapeUnseen } from '../lib/unseen.ts';

/** A running receiver of events. */
export type DeskReceiver = { readonly url: string; readonly close: () => Promise<void> };

/** No event is longer. */
const MAX_BODY = 64 * 1024;

const Body = v.object({
  id: v.string(),
  type: v.string(),
  subject: v.object({
    profile: v.optional(v.string()),
    requester: v.optional(v.string()),
    actor: v.optional(v.string()),
    justification: v.optional(v.string()),
    comment: v.optional(v.string()),
  }),
  url: v.string(),
});

/** What SNS puts around a message. */
const Notification = v.object({ Type: v.literal('Notification'), Message: v.string() });

/**
 * A receiver on 127.0.0.1, on any free port, that says one line for each event that arrives, by
 * webhook or by SNS.
 */
export async function startDeskReceiver(say: (line: string) => void): Promise<DeskReceiver> {
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const line = describe(await readBody(incoming));
      if (line !== undefined) say(line);
      outgoing.writeHead(line === undefined ? 400 : 204).end();
    })().catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  function close(): Promise<void> {
    return new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  return { url: `http://127.0.0.1:${port}/`, close };
}

/** The body as text; empty if it is too long for an event. */
async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One line about an event; undefined for what is none. */
function describe(text: string): string | undefined {
  const sent = parse(text);
  const wrapped = v.safeParse(Notification, sent);
  const body = v.safeParse(Body, wrapped.success ? parse(wrapped.output.Message) : sent);
  if (!body.success) return undefined;
  const { type, id, subject, url } = body.output;
  const { profile, requester, actor, justification, comment } = subject;
  const facts = { profile, requester, by: actor, justification, comment };
  const said = Object.entries(facts).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${JSON.stringify(value)}`],
  );
  return escapeUnseen(`event ${type} ${id}: ${[...said, url].join(' ')}`);
}
