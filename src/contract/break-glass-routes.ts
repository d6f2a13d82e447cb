import * as v from 'valibot';
import { BREAK_GLASS_SECONDS } from './bounds.ts';
import { BreakGlass, BreakGlassPage } from './break-glass-shapes.ts';
import {
  breakGlassJustification,
  comment,
  EVENT_ID,
  EVENT_STATUSES,
  fields,
  NEXT_TOKEN,
  profileName,
  reason,
  REASON_CODES,
  REQUEST_VIEWS,
  seconds,
  ticket,
} from './fields.ts';
import { IDENTIFIED, NO_FIELDS } from './route.ts';

/** The endpoints of break-glass, by the names of their operations. */
export const BREAK_GLASS_ROUTES = {
  openEvent: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/break-glass',
    does: 'opens a profile in an emergency',
    asks: 'break_glass',
    body: fields(
      {
        profile: profileName,
        reason_code: v.picklist(REASON_CODES, `must be one of ${REASON_CODES.join(', ')}`),
        justification: breakGlassJustification,
        duration: v.optional(seconds(BREAK_GLASS_SECONDS)),
        ticket: v.optional(ticket),
        drill: v.optional(v.boolean('must be true or false')),
      },
      {
        hints: {
          profile: 'GET /profiles lists yours',
          reason_code: `it is one of ${REASON_CODES.join(', ')}`,
          justification: 'say what has happened',
        },
      },
    ),
    example:
      '{"profile":"prod","reason_code":"incident","justification":"payments fail since 14:02 UTC"}',
    answer: BreakGlass,
    status: 201,
  },
  listEvents: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/break-glass',
    does: 'lists break-glass events',
    asks: 'question',
    query: fields({
      view: v.optional(v.picklist(REQUEST_VIEWS, `must be one of ${REQUEST_VIEWS.join(', ')}`)),
      status: v.optional(v.picklist(EVENT_STATUSES, `must be one of ${EVENT_STATUSES.join(', ')}`)),
      profile: v.optional(profileName),
      [NEXT_TOKEN]: v.optional(v.string()),
    }),
    answer: BreakGlassPage,
  },
  showEvent: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/break-glass/:id',
    does: 'shows one break-glass event',
    asks: 'question',
    id: EVENT_ID,
    query: NO_FIELDS,
    answer: BreakGlass,
  },
  confirmEvent: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/break-glass/:id/confirm',
    does: 'confirms a break-glass event as its second person',
    asks: 'break_glass',
    id: EVENT_ID,
    body: fields({ comment: v.optional(comment) }),
    example: '{"comment":"I see it too"}, or {}',
    answer: BreakGlass,
  },
  closeEvent: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/break-glass/:id/close',
    does: 'closes a break-glass event before its time',
    asks: 'break_glass',
    id: EVENT_ID,
    body: fields({ reason }),
    example: '{"reason":"payments work again"}',
    answer: BreakGlass,
  },
  reviewEvent: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/break-glass/:id/review',
    does: 'reviews what a break-glass event was used for',
    asks: 'break_glass',
    id: EVENT_ID,
    body: fields({ comment }, { hints: { comment: 'say what you found' } }),
    example: '{"comment":"the restart was needed"}',
    answer: BreakGlass,
  },
} as const;
