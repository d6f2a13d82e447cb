import type { CompiledPolicy } from '../policy/compile.ts';
import type { LintFinding } from '../policy/lint.ts';
import type { ApprovalPolicyDocument } from '../policy/documents/approval-policy.ts';
import type { BreakGlassPolicyDocument } from '../policy/documents/break-glass-policy.ts';
import type { BreakGlassRatePolicyDocument } from '../policy/documents/break-glass-rate-policy.ts';
import type { PeopleDocument } from '../policy/documents/people.ts';
import type { Client } from '../policy/documents/client.ts';
import type { OperatorsDocument } from '../policy/documents/operators.ts';
import type { Profile } from '../policy/documents/profile.ts';
import type { WebhookDocument } from '../policy/documents/webhook.ts';
import type { StoredSealingKey } from './read-document.ts';

/**
 * A profile that can be vended: it has both a profile document and a policy, and both are valid.
 */
export type CatalogProfile = {
  readonly name: string;
  readonly profile: Profile;
  readonly policy: CompiledPolicy;
};

/** A document that was refused: its parameter, and why. Problems never quote a secret. */
export type Rejection = { readonly parameter: string; readonly problems: readonly string[] };

/** A probable mistake in a valid document, with its parameter. There are none about secrets. */
export type Finding = LintFinding & { readonly parameter: string };

/**
 * All documents as they were at one moment. A request uses one snapshot from its start to its end.
 */
export type Snapshot = {
  /**
   * When the reading began, by the monotonic clock in milliseconds. Everything in the snapshot was
   * read later.
   */
  readonly readAt: number;
  /**
   * Sixteen hexadecimal digits of the SHA-256 of all documents but secrets: which documents decide.
   */
  readonly version: string;
  /** The TVM's own account. */
  readonly account: string;
  /** Principals of the roles that the TVM vends or recently vended, and of its own role. */
  readonly neverCallers: ReadonlySet<string>;
  readonly profiles: ReadonlyMap<string, CatalogProfile>;
  readonly clients: ReadonlyMap<string, Client>;
  /** The keys that seal minted keys, by the id in `keys/<id>`. */
  readonly sealingKeys: ReadonlyMap<string, StoredSealingKey>;
  /**
   * What events are signed with, and where they may go; undefined if that document is missing or
   * broken.
   */
  readonly webhook: WebhookDocument | undefined;
  /** Who may list, revoke, explain and lift; undefined if that document is missing or broken. */
  readonly operators: OperatorsDocument | undefined;
  /**
   * Who may approve what; undefined if there is no such document, or a broken one: then nobody may.
   */
  readonly approvalPolicy: ApprovalPolicyDocument | undefined;
  /**
   * Which identities are one person; undefined if there is no such document. A broken one lets
   * nobody approve anything.
   */
  readonly people: PeopleDocument | 'broken' | undefined;
  /**
   * Who may break the glass; undefined if there is no such document, or a broken one: then nobody
   * may.
   */
  readonly breakGlassPolicy: BreakGlassPolicyDocument | undefined;
  /**
   * How often; undefined if there is no such document. A broken one lets nobody break the glass.
   */
  readonly breakGlassRates: BreakGlassRatePolicyDocument | 'broken' | undefined;
  readonly rejections: readonly Rejection[];
  /** Probable mistakes in valid documents, at most a thousand. */
  readonly findings: readonly Finding[];
  /**
   * How many parameters both trees have, and how many pages of SSM the next listing of them takes.
   */
  readonly parameters: number;
  readonly pages: number;
};
