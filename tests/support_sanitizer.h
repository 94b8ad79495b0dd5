/* Are we built with a sanitizer? Those own malloc and slow everything down. */
#ifndef GS_TESTS_SUPPORT_SANITIZER_H
#define GS_TESTS_SUPPORT_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GS_SANITIZED 1
#endif
#endif
#ifndef GS_SANITIZED
#define GS_SANITIZED 0
#endif

enum { GS_TEST_SKIPPED = 77 }; /* exit code of a test program that cannot run here */

#endif
