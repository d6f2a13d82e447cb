import type * as v from 'valibot';
import { fields, type Fields, type IdForm } from './fields.ts';

/** What a request is for, as far as its refusal must know: what was not done, or may have been. */
export type Asked =
  | 'credentials'
  | 'key'
  | 'revocation'
  | 'lifting'
  | 'approval'
  | 'break_glass'
  | 'question';

/** One method of one path, and what is agreed on it. */
export type Route = {
  /** Beginning with `/`; `:id` stands for the id of something. */
  readonly path: string;
  /** What it does, in words that go on from its method and path. */
  readonly does: string;
  /** Whether the caller must prove who they are. */
  readonly identity: boolean;
  /** Whether HEAD is answered as well: never where GET has an effect. */
  readonly head: boolean;
  readonly asks: Asked;
  /** The form of `:id`, where the path has one. */
  readonly id?: IdForm;
  readonly answer: v.GenericSchema;
  /** The status of a good answer. */
  readonly status: 200 | 201;
} & (
  | { readonly method: 'GET' | 'DELETE'; readonly query: Fields }
  | {
      readonly method: 'POST';
      readonly body: Fields;
      /** A body that is good. */ readonly example: string;
    }
);

/** Of an endpoint that takes no fields. */
export const NO_FIELDS = fields({});

/** What all endpoints that need an identity have in common. */
export const IDENTIFIED = { identity: true, head: false, status: 200 } as const;
