import { escapeUnseen } from '../lib/unseen.ts';
import { linkTo, type Event, type EventType, type Matter } from './event.ts';

/**
 * Characters of a part of a message, escaped as it stands there; Slack takes 3,000 of a section and
 * 150 of a header.
 */
const TEXT_LENGTH = 2_500;
const NAME_LENGTH = 300;
const TITLE_LENGTH = 140;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

const TITLES: Readonly<Record<EventType, string>> = {
  'request.created': 'Access requested',
  'request.reviewed': 'Access request reviewed',
  'request.approved': 'Access request approved',
  'request.denied': 'Access request denied',
  'request.expired': 'Access request expired',
  'request.cancelled': 'Access request cancelled',
  'request.ended': 'Access ended early',
  'breakglass.invoked': 'Break-glass invoked',
  'breakglass.confirmed': 'Break-glass confirmed',
  'breakglass.closed': 'Break-glass closed',
  'breakglass.expired': 'Break-glass expired',
  'breakglass.reviewed': 'Break-glass reviewed',
  'revocation.created': 'Access revoked',
  'revocation.lifted': 'Revocation lifted',
};

/**
 * A text as data: `<!channel>`, links and what cannot be seen are shown and mean nothing. It is cut
 * after it was escaped, for Slack counts what it gets and refuses a whole message for one part that
 * is too long. https://api.slack.com/reference/surfaces/formatting#escaping
 */
function escaped(text: string, length: number): string {
  let made = '';
  for (const character of text) {
    const next = ENTITIES[character] ?? escapeUnseen(character);
    if (made.length + next.length >= length) return `${made}…`;
    made += next;
  }
  return made;
}

/** A part of a message that Slack shows as it is, without bold, links or emoji. */
function plain(text: string, length: number) {
  return { type: 'plain_text', text: escaped(text, length), emoji: false };
}

function section(label: string, text: string | undefined) {
  return text === undefined
    ? []
    : [{ type: 'section', text: plain(`${label}: ${text}`, TEXT_LENGTH) }];
}

function fieldsOf({
  profile,
  requester,
  actor,
  ticket,
  reasonCode,
  status,
  seconds,
  endsAt,
}: Matter) {
  const fields: readonly (readonly [label: string, value: string | undefined])[] = [
    ['Profile', profile],
    ['Requester', requester],
    ['By', actor],
    ['Status', status],
    ['Seconds', seconds === undefined ? undefined : String(seconds)],
    ['Ends', endsAt === undefined ? undefined : new Date(endsAt).toISOString()],
    ['Ticket', ticket],
    ['Reason', reasonCode],
  ];
  return fields.flatMap(([label, value]) =>
    value === undefined ? [] : [plain(`${label}: ${value}`, NAME_LENGTH)],
  );
}

/**
 * The event as a message for Slack and for what takes Slack's messages. What callers wrote at
 * length stands only where nothing is formatted: `text`, which other services format in their own
 * ways, has names alone. It holds one link and no button, for nothing is decided in a message.
 */
export function toSlack({ type, matter }: Event, publicUrl: string): string {
  const title = matter.isDrill ? `DRILL: ${TITLES[type]}` : TITLES[type];
  const about = [matter.profile, matter.requester].filter((text) => text !== undefined);
  const fields = fieldsOf(matter);
  const link = linkTo(matter, publicUrl);
  return JSON.stringify({
    text: [title, ...about.map((text) => escaped(text, NAME_LENGTH)), link].join(' · '),
    unfurl_links: false,
    unfurl_media: false,
    link_names: 0,
    blocks: [
      { type: 'header', text: plain(title, TITLE_LENGTH) },
      ...(fields.length === 0 ? [] : [{ type: 'section', fields }]),
      ...section('Justification', matter.justification),
      ...section('Comment', matter.comment),
      {
        type: 'section',
        text: { type: 'mrkdwn', text: `<${link}|Open ${escaped(matter.id, NAME_LENGTH)}>` },
      },
    ],
  });
}
