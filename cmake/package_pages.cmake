# Run by cpack before it packs: manual pages and changelogs are compressed, as Debian has them.
file(GLOB_RECURSE pages "${CPACK_TEMPORARY_DIRECTORY}/*.[15]" "${CPACK_TEMPORARY_DIRECTORY}/changelog")
execute_process(COMMAND gzip --best --no-name ${pages} COMMAND_ERROR_IS_FATAL ANY)
