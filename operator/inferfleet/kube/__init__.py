"""The API server: requests, informer caches, the Lease and events. Nothing here decides anything."""
