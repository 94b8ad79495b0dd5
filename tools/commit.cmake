# cmake -D SOURCE=DIR -D OUTPUT=FILE -P commit.cmake
#
# Writes a header that says which commit SOURCE is at, and whether its sources differ from
# it: files that git follows anywhere, or new ones in host/ and kernels/. Run by every
# build, so that a commit or a change after the configuration shows; the header is touched
# only when it changes. Without git, or where SOURCE is not a repository of its own (a
# tarball, unpacked anywhere), the commit is empty.
set(commit "")
set(dirty false)

function(git result)
  execute_process(COMMAND "${GIT}" --no-optional-locks -C "${SOURCE}" ${ARGN}
    RESULT_VARIABLE code OUTPUT_VARIABLE words ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT code EQUAL 0)
    set(words "")
  endif()
  set(${result} "${words}" PARENT_SCOPE)
endfunction()

# as in hooks, which are of some repository
unset(ENV{GIT_DIR})
unset(ENV{GIT_WORK_TREE})
unset(ENV{GIT_INDEX_FILE})
find_program(GIT git)
if(GIT)
  git(top rev-parse --show-toplevel)
  file(REAL_PATH "${SOURCE}" real)
  if(top AND top STREQUAL real)
    git(commit rev-parse --verify HEAD)
    git(changes status --porcelain --untracked-files=no)
    git(new ls-files --others --exclude-standard -- host kernels)
    if(commit AND (changes OR new))
      set(dirty true)
    endif()
  endif()
endif()

set(header "#define GRADSWEEP_COMMIT \"${commit}\"\n#define GRADSWEEP_DIRTY ${dirty}\n")
set(old "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" old)
endif()
if(NOT old STREQUAL header)
  file(WRITE "${OUTPUT}" "${header}")
endif()
