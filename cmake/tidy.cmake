# Targets for people: `format` rewrites the sources, `lint` checks format and runs clang-tidy.
file(GLOB_RECURSE project_sources CONFIGURE_DEPENDS
    db/*.cpp db/*.hpp queue/*.cpp queue/*.hpp jobs/*.cpp jobs/*.hpp worker/*.cpp worker/*.hpp tests/*.cpp tests/*.hpp)
find_program(CLANG_FORMAT NAMES clang-format-19 clang-format)
find_program(RUN_CLANG_TIDY NAMES run-clang-tidy-19 run-clang-tidy)
add_custom_target(format COMMAND ${CLANG_FORMAT} -i ${project_sources} COMMENT "formatting" VERBATIM)
add_custom_target(lint
    COMMAND ${CLANG_FORMAT} --dry-run --Werror ${project_sources}
    COMMAND ${RUN_CLANG_TIDY} -quiet -p ${CMAKE_BINARY_DIR} "^${CMAKE_SOURCE_DIR}/(db|queue|jobs|worker)/"
    COMMENT "checking format, running clang-tidy" VERBATIM)
