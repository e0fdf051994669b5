/* What is left of a folder when the power fails; see durable.c. */
#define NODE 64

/* Notes what a successful sync of a descriptor made durable. */
void durable_synced(int descriptor);

/* Notes, at the moment at which the power fails, what got onto the disk without a sync: nothing (`nothing`), all names of files
 * and folders (`names`), or both of every other file and folder (`some`). */
void durable_lost(const char *how);
