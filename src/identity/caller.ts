/** Who is calling, as every decision sees it. */
export type Caller = {
  /** By what the identity is known. */
  readonly via: 'key' | 'minted-key' | 'sts' | 'lambda';
  /** The twelve digits of the AWS account. */
  readonly account: string;
  /** `arn:P:iam::A:user/…`, `arn:P:iam::A:role/R`, or `sentinel:key/<id>` for a registered key. */
  readonly principal: string;
  /**
   * The one person or workload that the caller is: the principal, and where a role's session name is trusted
   * `<principal>/<session name>`. Sessions, rate limits and stamps hang on it.
   */
  readonly subject: string;
  /** What `users` in documents match: one namespace without collisions, never a name that a caller can choose. */
  readonly name: string;
  /** The name as tables and tags hold it: always with its kind, like `key/alice`. */
  readonly storedName: string;
  /** The session's own name where there is one: shown, never decided upon. */
  readonly sessionName: string | undefined;
  /** The access key that signed the request. */
  readonly accessKeyId: string;
  /** The access key that a minted key came from; undefined for callers with another key. */
  readonly sourceAccessKeyId: string | undefined;
  /** IAM's unique id (AROA…, AIDA…) where AWS gave one. */
  readonly uniqueId: string | undefined;
  /** When the key that signed ends, in epoch milliseconds, where that is known. */
  readonly keyExpiresAt: number | undefined;
};

/** The part of a caller that its identity settles, whichever key it signs with. */
export type CallerIdentity = Omit<Caller, 'via' | 'accessKeyId' | 'sourceAccessKeyId' | 'keyExpiresAt'>;
