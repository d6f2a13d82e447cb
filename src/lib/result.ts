/**
 * A value, or a refusal that the caller is expected to handle. Exceptions are kept for bugs and
 * outages.
 */
export type Result<Value, Refusal> = Ok<Value> | Refused<Refusal>;

export type Ok<Value> = { readonly ok: true; readonly value: Value };

export type Refused<Refusal> = { readonly ok: false; readonly refusal: Refusal };

/** Wraps a value as the good outcome. */
export function ok<Value>(value: Value): Ok<Value> {
  return { ok: true, value };
}

/** Wraps a refusal as the expected bad outcome. */
export function refuse<Refusal>(refusal: Refusal): Refused<Refusal> {
  return { ok: false, refusal };
}
